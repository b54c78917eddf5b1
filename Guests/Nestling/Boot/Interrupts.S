// Interrupt and fault entry at CPL0, and the calls that CPL3 makes with `int3`. Integer
// instructions only. Interrupts are counted and acknowledged here; the code at CPL3 looks at the
// counts and at memory.

#include "Layout.h"

#define LOCAL_APIC_END_OF_INTERRUPT 0xfee000b0
#define MSR_TSC_DEADLINE 0x6e0

// A plain 32-bit displacement would be sign-extended to the top of the address space; 32-bit
// addressing reaches the local APIC without a register to save.
.macro acknowledge
        incq    %gs:PROCESSOR_INTERRUPTS
        movl    $0, LOCAL_APIC_END_OF_INTERRUPT(,%eiz,1)
.endm

        .text
        .globl  breakpoint_entry, device_entries, tick_entry, spurious_entry, exception_entries

// --- `int3` from CPL3: EAX = function. Interrupts are off on entry.

breakpoint_entry:
        cmpl    $CALL_HALT, %eax
        jne     1f
        // An interrupt which came after the caller looked would be slept through.
        cmpq    %gs:PROCESSOR_INTERRUPTS, %rdx
        jne     2f
        sti
        hlt
2:      iretq
1:      cmpl    $CALL_WRITE_MSR, %eax
        jne     1f
        movl    %ebx, %eax
        wrmsr
        iretq
1:      cmpl    $CALL_READ_MSR, %eax
        jne     1f
        rdmsr
        iretq
1:      cmpl    $CALL_ENABLE_INTERRUPTS, %eax
        jne     1f
        orq     $0x200, 16(%rsp)
        iretq
1:      cmpl    $CALL_CPUID, %eax
        jne     3f
        movl    %ecx, %eax
        movl    %edx, %ecx
        cpuid
        iretq
3:      cli
        hlt
        jmp     3b

// --- Interrupts.

        .balign ENTRY_SPACING
device_entries:
        .set    number, 0
        .rept   VECTOR_DEVICE_COUNT
        .balign ENTRY_SPACING
        incq    %gs:PROCESSOR_MESSAGES + 8 * number
        acknowledge
        iretq
        .set    number, number + 1
        .endr

tick_entry:
        incq    %gs:PROCESSOR_TICKS
        cmpl    $0, %gs:PROCESSOR_TICK_CYCLES
        je      1f
        pushq   %rax
        pushq   %rcx
        pushq   %rdx
        rdtsc
        addl    %gs:PROCESSOR_TICK_CYCLES, %eax
        adcl    $0, %edx
        movl    $MSR_TSC_DEADLINE, %ecx
        wrmsr
        popq    %rdx
        popq    %rcx
        popq    %rax
1:      acknowledge
        iretq

spurious_entry:
        iretq

// --- Exceptions: save everything and let Swift, at CPL3, say what happened.

.macro exception vector
        .balign ENTRY_SPACING
        .if     !((\vector == 8) || ((\vector >= 10) && (\vector <= 14)) || (\vector == 17) || (\vector == 21))
        pushq   $0
        .endif
        pushq   $\vector
        jmp     exception_common
.endm

        .balign ENTRY_SPACING
exception_entries:
        .set    number, 0
        .rept   32
        exception number
        .set    number, number + 1
        .endr

exception_common:
        pushq   %rax
        pushq   %rbx
        pushq   %rcx
        pushq   %rdx
        pushq   %rsi
        pushq   %rdi
        pushq   %rbp
        pushq   %r8
        pushq   %r9
        pushq   %r10
        pushq   %r11
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        movq    %cr2, %rax
        pushq   %rax
        movq    %rsp, %rdi
        movl    %gs:PROCESSOR_SELF, %esi
        // The rest of this stack is free: the handler at CPL3 uses it, with interrupts off.
        leaq    -256(%rsp), %rax
        andq    $-16, %rax
        pushq   $SELECTOR_USER_DATA
        pushq   %rax
        pushq   $2
        pushq   $SELECTOR_USER_CODE
        pushq   $fault_user
        iretq

fault_user:
        call    nestling_fault
        ud2
