-- schema.sql: the database that `vexit import` writes. docs/sql.md describes it for users; test/sql/docs.sh checks that it
-- names every table and column.
--
-- Values are the SDM's own, stored as SQLite's signed 64-bit integers: an address with bit 63 set is negative, and a hex
-- literal (0xffffffff80000000) means the same number. @NAME@ is filled in by schema.c from exits.def, vmcs.def and msrs.def.
-- Views use only SQLite's own functions, so that the stock `sqlite3` opens them.

-- One row per exit reason of the SDM.
CREATE TABLE exit_reason(
	reason INTEGER PRIMARY KEY,	-- basic exit reason
	name TEXT NOT NULL		-- as in exits.def: 'CPUID'
);

-- One row per VMCS field.
CREATE TABLE vmcs_field(
	encoding INTEGER PRIMARY KEY,	-- what VMREAD takes
	name TEXT NOT NULL,		-- as in vmcs.def: 'GUEST_RIP'
	width INTEGER NOT NULL,		-- bits: 16, 32, 64; natural width counts as 64
	class TEXT NOT NULL		-- 'control', 'info', 'guest', 'host'
);

-- What is known of the whole recording.
CREATE TABLE meta(
	trace_id INTEGER NOT NULL,
	key TEXT NOT NULL,		-- 'session.*', 'closing.*', 'import.*'
	value				-- integer, text, or blob
);

-- One row per VM exit. Registers and fields are those the handler got.
CREATE TABLE exits(
	trace_id INTEGER NOT NULL,
	seq INTEGER NOT NULL,		-- number of the exit, over all vCPUs, from 0
	step INTEGER NOT NULL,		-- number of the step, exits and entry steps together
	vcpu INTEGER NOT NULL,
	tsc_exit INTEGER,		-- host TSC at the exit
	tsc_entry INTEGER,		-- host TSC just before the VM entry that this exit ended
	reason INTEGER,			-- basic exit reason
	reason_name TEXT AS (CASE reason @EXIT_REASONS@ ELSE 'RESERVED_' || reason END) VIRTUAL,
	entry_failure INTEGER,		-- 1: the VM entry failed (bit 31 of the exit reason)
	qualification INTEGER,		-- exit qualification
	instr_len INTEGER,		-- VM-exit instruction length, bytes
	instr_info INTEGER,		-- VM-exit instruction information
	intr_info INTEGER,		-- VM-exit interruption information
	intr_error INTEGER,		-- VM-exit interruption error code
	idt_info INTEGER,		-- IDT-vectoring information
	idt_error INTEGER,		-- IDT-vectoring error code
	gpa INTEGER,			-- guest-physical address
	gla INTEGER,			-- guest-linear address
	rip INTEGER,
	rsp INTEGER,
	rflags INTEGER,
	cr0 INTEGER,
	cr2 INTEGER,
	cr3 INTEGER,
	cr4 INTEGER,
	efer INTEGER,
	cs INTEGER,			-- selector
	cpl INTEGER,			-- current privilege level: SS.DPL
	mode TEXT,			-- 'real', 'vm86', 'protected', 'compat', 'long'
	interruptibility INTEGER,	-- guest interruptibility state
	activity INTEGER,		-- guest activity state
	absent INTEGER,			-- 1: an access to a port or an address where nothing is, 0: to a device; NULL: no such access
	rax INTEGER,
	rcx INTEGER,
	rdx INTEGER,
	rbx INTEGER,
	rbp INTEGER,
	rsi INTEGER,
	rdi INTEGER,
	r8 INTEGER,
	r9 INTEGER,
	r10 INTEGER,
	r11 INTEGER,
	r12 INTEGER,
	r13 INTEGER,
	r14 INTEGER,
	r15 INTEGER,
	action TEXT,			-- 'resume', 'retire', 'inject', 'stop'; NULL: unfinished, the hypervisor died in it
	handler_cycles INTEGER,		-- TSC cycles from the exit to the end of its handler
	tracer_cycles INTEGER,		-- what the tracer spent from there to the vCPU's next VM entry; NULL for its last exit
	wait_cycles INTEGER,		-- the rest of that stretch
	guest_cycles INTEGER,		-- tsc_exit - tsc_entry
	insn BLOB			-- the instruction, where the tracer noted it: an RIP's first exit in each frame
);

-- One row per entry step: what was decided before (or instead of) a VM entry.
CREATE TABLE entries(
	trace_id INTEGER NOT NULL,
	step INTEGER NOT NULL,
	seq INTEGER,			-- the vCPU's last exit before it; NULL: none
	vcpu INTEGER NOT NULL,
	tsc INTEGER,			-- the step's time: host TSC
	result TEXT,			-- 'enter', 'wait', 'stop'; NULL: unfinished
	event INTEGER,			-- VM-entry interruption information, when an event is delivered
	event_error INTEGER,		-- its error code, when it has one
	wake_at INTEGER,		-- 'wait': host TSC to be asked again; NULL: by an event alone
	deadline INTEGER,		-- 'enter': host TSC that the preemption timer was set for; NULL: none
	preemption_timer INTEGER,	-- 'enter': VMX-preemption timer value
	tsc_offset INTEGER,
	rip INTEGER,
	interruptibility INTEGER,
	activity INTEGER
);

-- Each VMCS field that a step changed.
CREATE TABLE vmcs_writes(
	trace_id INTEGER NOT NULL,
	step INTEGER NOT NULL,
	field INTEGER NOT NULL,		-- encoding; see vmcs_field
	before INTEGER,
	after INTEGER,
	field_name TEXT AS (CASE field @VMCS_FIELDS@ END) VIRTUAL
);

-- Each general register (and CR2) that a step changed.
CREATE TABLE gpr_writes(
	trace_id INTEGER NOT NULL,
	step INTEGER NOT NULL,
	gpr TEXT NOT NULL,		-- 'rax' … 'r15', 'cr2'
	before INTEGER,
	after INTEGER
);

-- Each value that passed between a handler and the world.
CREATE TABLE crossings(
	trace_id INTEGER NOT NULL,
	step INTEGER NOT NULL,
	n INTEGER NOT NULL,		-- number within the step, from 0
	kind TEXT NOT NULL,		-- 'mem_read', 'console_out', … (hv/include/world.h)
	addr INTEGER,			-- GPA, MSR, register, vCPU: by kind
	size INTEGER,			-- bytes
	value				-- integer up to 8 bytes, else a blob
);

-- The trace's own compressed frames: from these vmcs() decodes any field of any exit.
CREATE TABLE frames(
	trace_id INTEGER NOT NULL,
	frame INTEGER NOT NULL,		-- number
	first_step INTEGER NOT NULL,
	first_seq INTEGER NOT NULL,
	steps INTEGER NOT NULL,
	exits INTEGER NOT NULL,
	header BLOB NOT NULL,		-- its header frame
	data BLOB NOT NULL		-- the compressed frame: `zstd -d` gives the raw records
);

-- Sums are taken in two halves, so that they are exact, and never overflow: beyond 63 bits they become real.

CREATE VIEW exit_stats AS
SELECT trace_id, reason, reason_name, count(*) AS exits,
	round(100.0 * count(*) / sum(count(*)) OVER (PARTITION BY trace_id), 2) AS percent,
	min(handler_cycles) AS handler_min, round(avg(handler_cycles), 1) AS handler_avg, max(handler_cycles) AS handler_max,
	@SUM(handler_cycles)@ AS handler_cycles, @SUM(tracer_cycles)@ AS tracer_cycles,
	@SUM(wait_cycles)@ AS wait_cycles, @SUM(guest_cycles)@ AS guest_cycles
FROM exits GROUP BY trace_id, reason ORDER BY trace_id, exits DESC, reason;

-- I/O instructions (SDM, "Exit Qualification for I/O Instructions").
CREATE VIEW io_stats AS
SELECT trace_id, printf('%#x', qualification >> 16 & 0xffff) AS port,
	CASE qualification & 8 WHEN 0 THEN 'out' ELSE 'in' END AS direction, (qualification & 7) + 1 AS size,
	CASE qualification & 16 WHEN 0 THEN 0 ELSE 1 END AS string, count(*) AS exits, sum(absent) AS absent,
	round(avg(handler_cycles), 1) AS handler_avg, @SUM(handler_cycles)@ AS handler_cycles
FROM exits WHERE reason = 30
GROUP BY trace_id, qualification >> 16 & 0xffff, qualification & 8, qualification & 7, qualification & 16
ORDER BY trace_id, exits DESC, port;

CREATE VIEW msr_stats AS
SELECT trace_id, printf('%#x', rcx & 0xffffffff) AS msr, CASE rcx & 0xffffffff @MSRS@ END AS name,
	CASE reason WHEN 31 THEN 'read' ELSE 'write' END AS direction, count(*) AS exits,
	sum(action = 'inject') AS faults,
	round(avg(handler_cycles), 1) AS handler_avg, @SUM(handler_cycles)@ AS handler_cycles
FROM exits WHERE reason IN (31, 32) GROUP BY trace_id, rcx & 0xffffffff, reason ORDER BY trace_id, exits DESC, msr;

CREATE VIEW cpuid_stats AS
SELECT trace_id, printf('%#x', rax & 0xffffffff) AS leaf, printf('%#x', rcx & 0xffffffff) AS subleaf, count(*) AS exits,
	round(avg(handler_cycles), 1) AS handler_avg, @SUM(handler_cycles)@ AS handler_cycles
FROM exits WHERE reason = 10 GROUP BY trace_id, rax & 0xffffffff, rcx & 0xffffffff ORDER BY trace_id, exits DESC, leaf, subleaf;

-- EPT violations and misconfigurations (SDM, "Exit Qualification for EPT Violations").
CREATE VIEW mmio_stats AS
SELECT trace_id, printf('%#x', gpa) AS gpa,
	CASE WHEN reason = 49 THEN NULL WHEN qualification & 4 THEN 'fetch' WHEN qualification & 2 THEN 'write' ELSE 'read' END
	AS access, count(*) AS exits, sum(absent) AS absent,
	round(avg(handler_cycles), 1) AS handler_avg, @SUM(handler_cycles)@ AS handler_cycles
FROM exits WHERE reason IN (48, 49) GROUP BY trace_id, exits.gpa, 3 ORDER BY trace_id, exits DESC, exits.gpa;

-- Where the guest exits; `insn` is the instruction in hex.
CREATE VIEW hot_rips AS
SELECT trace_id, printf('%#x', rip) AS rip, reason_name, lower(hex(max(insn))) AS insn, count(*) AS exits,
	round(100.0 * count(*) / sum(count(*)) OVER (PARTITION BY trace_id), 2) AS percent,
	round(avg(handler_cycles), 1) AS handler_avg, @SUM(handler_cycles)@ AS handler_cycles
FROM exits GROUP BY trace_id, exits.rip, reason ORDER BY trace_id, exits DESC, exits.rip;

-- @INDEXES@: what follows is done after the rows are in.

CREATE INDEX exits_seq ON exits(trace_id, seq);
CREATE INDEX exits_step ON exits(trace_id, step);
CREATE INDEX entries_step ON entries(trace_id, step);
CREATE INDEX entries_seq ON entries(trace_id, seq);
CREATE INDEX vmcs_writes_step ON vmcs_writes(trace_id, step);
CREATE INDEX gpr_writes_step ON gpr_writes(trace_id, step);
CREATE INDEX crossings_step ON crossings(trace_id, step);
CREATE INDEX frames_seq ON frames(trace_id, first_seq);
CREATE INDEX meta_key ON meta(trace_id, key);
