// Numbers which the assembly and the Swift code must agree on. Included by both, so it holds
// only macros.

#ifndef NESTLING_LAYOUT_H
#define NESTLING_LAYOUT_H

// Selectors. User code and data have the places that a software KVM expects (0x33, 0x2b).
#define SELECTOR_KERNEL_CODE 0x10
#define SELECTOR_KERNEL_DATA 0x18
#define SELECTOR_USER_DATA 0x2b
#define SELECTOR_USER_CODE 0x33
#define SELECTOR_FIRST_TASK 0x40

// The way to long mode.
#define CR0_LONG_MODE 0x80010033  // PG, WP, NE, ET, MP, PE
#define CR4_LONG_MODE 0x620       // OSXMMEXCPT, OSFXSR, PAE
#define MSR_EFER 0xc0000080
#define EFER_LONG_MODE 0x100

// How many vCPUs there is room for in the descriptor table.
#define PROCESSOR_LIMIT 64

// struct nestling_processor, found through the GS base at CPL0.
#define PROCESSOR_SELF 0
#define PROCESSOR_INTERRUPTS 8
#define PROCESSOR_TICKS 16
#define PROCESSOR_TICK_CYCLES 24
#define PROCESSOR_STACK_TOP 32
#define PROCESSOR_ENTRY 40
#define PROCESSOR_TASK_SELECTOR 48
#define PROCESSOR_KERNEL_STACK_TOP 56
#define PROCESSOR_MESSAGES 64
#define PROCESSOR_TASK 576

// Interrupt vectors. The tick is the highest, so that devices do not hold it back.
#define VECTOR_BREAKPOINT 3
#define VECTOR_FIRST_DEVICE 0x20
#define VECTOR_DEVICE_COUNT 64
#define VECTOR_TICK 0xe0
#define VECTOR_SPURIOUS 0xff

// What `int3` asks CPL0 for, in EAX.
#define CALL_HALT 0
#define CALL_READ_MSR 1
#define CALL_WRITE_MSR 2
#define CALL_ENABLE_INTERRUPTS 3
#define CALL_STOP 4
#define CALL_CPUID 5

// Where application processors wake up in real mode; below 1 MiB and page aligned.
#define TRAMPOLINE_ADDRESS 0x8000

// Entry points are spaced evenly, so that Swift can fill the IDT.
#define ENTRY_SPACING 64

#endif
