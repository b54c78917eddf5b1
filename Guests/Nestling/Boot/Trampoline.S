// Where an application processor starts: real mode, at TRAMPOLINE_ADDRESS. It goes to long mode in
// one step, takes the next free block and goes on like the boot processor. Position: copied to
// TRAMPOLINE_ADDRESS, so addresses within are relative to its start.

#include "Layout.h"

#define HERE(symbol) (symbol - trampoline_start)

        .section .rodata.trampoline, "a", @progbits
        .globl  trampoline_start, trampoline_end
        .code16
trampoline_start:
        cli
        movw    %cs, %ax
        movw    %ax, %ds
        lgdtl   HERE(pointer)
        movl    $CR4_LONG_MODE, %eax
        movl    %eax, %cr4
        movl    $page_table_root, %eax
        movl    %eax, %cr3
        movl    $MSR_EFER, %ecx
        movl    $EFER_LONG_MODE, %eax
        xorl    %edx, %edx
        wrmsr
        movl    $CR0_LONG_MODE, %eax
        movl    %eax, %cr0
        ljmpl   $SELECTOR_KERNEL_CODE, $trampoline64

        .balign 8
pointer:
        .word   SELECTOR_FIRST_TASK + PROCESSOR_LIMIT * 16 - 1
        .long   descriptor_table
trampoline_end:

        .text
        .code64
trampoline64:
        movl    $1, %eax
        lock xaddl %eax, arrived_count
        cmpl    waiting_count, %eax
        jae     1f
        movq    waiting_processors(,%rax,8), %rdi
        jmp     processor_entry
1:      hlt
        jmp     1b

        .bss
        .balign 8
        .globl  waiting_processors, waiting_count, arrived_count
waiting_processors:
        .skip   PROCESSOR_LIMIT * 8
waiting_count:
        .skip   8
arrived_count:
        .skip   8
