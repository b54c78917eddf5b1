// From the loader to Swift: 32-bit protected mode without paging (PVH), then 64-bit CPL0 for a few
// instructions, then CPL3, where everything else happens. On a KVM without hardware support CPL0
// is emulated instruction by instruction, so there is as little of it as possible: the tables are
// constants, and Swift completes them.

#include "Layout.h"

#define MSR_GS_BASE 0xc0000101

// --- XEN_ELFNOTE_PHYS32_ENTRY: where a PVH loader enters.

        .section .note.pvh, "a", @note
        .balign 4
        .long   4, 8, 18
        .asciz  "Xen"
        .quad   start32

// --- Entry: EBX = physical address of struct start_info.

        .section .text.boot, "ax", @progbits
        .code32
        .globl  start32
start32:
        cli
        cld
        lgdt    descriptor_table_pointer
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
        ljmp    $SELECTOR_KERNEL_CODE, $boot64

        .code64
boot64:
        // The base of a descriptor lies in pieces, which no relocation can express.
        movl    $boot_processor + PROCESSOR_TASK, %eax
        movw    %ax, descriptor_table + SELECTOR_FIRST_TASK + 2
        shrl    $16, %eax
        movb    %al, descriptor_table + SELECTOR_FIRST_TASK + 4
        movb    %ah, descriptor_table + SELECTOR_FIRST_TASK + 7
        movl    $boot_processor, %edi
        movl    %ebx, %esi
        // falls through

// --- Every processor: EDI = its struct nestling_processor. ESI goes through to CPL3.

        .globl  processor_entry
processor_entry:
        movl    $SELECTOR_KERNEL_DATA, %eax
        movl    %eax, %ss
        movl    $SELECTOR_USER_DATA, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movq    PROCESSOR_KERNEL_STACK_TOP(%rdi), %rsp
        lidt    interrupt_table_pointer
        movl    PROCESSOR_TASK_SELECTOR(%rdi), %eax
        ltr     %ax
        movl    $MSR_GS_BASE, %ecx
        movl    %edi, %eax
        xorl    %edx, %edx
        wrmsr
        pushq   $SELECTOR_USER_DATA
        pushq   PROCESSOR_STACK_TOP(%rdi)
        pushq   $2
        pushq   $SELECTOR_USER_CODE
        pushq   PROCESSOR_ENTRY(%rdi)
        iretq

// --- CPL3 from here on. The boot processor clears what a loader may have left in .bss (after a
// reset, say), then calls Swift with the address of struct start_info.

        .text
boot_user:
        movl    %esi, %ebx
        movl    $bss_start, %edi
        movl    $bss_end, %ecx
        subl    %edi, %ecx
        xorl    %eax, %eax
        rep stosb
        movl    %ebx, %edi
        xorl    %ebp, %ebp
        call    nestling_boot
        ud2

// The other processors, with the address of their block.

        .globl  processor_user
processor_user:
        xorl    %ebp, %ebp
        call    nestling_processor_main
        ud2

// --- The boot processor's own block. The others are allocated by Swift.

        .data
        .balign 16
        .globl  boot_processor
boot_processor:
        .quad   boot_processor          // self
        .quad   0, 0                    // interrupts, ticks
        .long   0, 0                    // tick_cycles, index
        .quad   boot_stack_top
        .quad   boot_user
        .quad   SELECTOR_FIRST_TASK
        .quad   boot_kernel_stack_top
        .fill   VECTOR_DEVICE_COUNT, 8, 0
        // task_state
        .long   0
        .quad   boot_kernel_stack_top
        .fill   90, 1, 0                // other stacks: unused
        .word   104                     // where the I/O bitmap starts
        .fill   512, 1, 0
        .byte   0xff

        .balign 4096
boot_kernel_stack:
        .fill   8192, 1, 0
boot_kernel_stack_top:

        .bss
        .balign 4096
boot_stack:
        .skip   128 * 1024
boot_stack_top:

// --- Descriptors.

        .data
        .balign 16
        .globl  descriptor_table
descriptor_table:
        .quad   0
        .quad   0
        .quad   0x00af9b000000ffff      // 0x10: code, 64-bit, CPL0
        .quad   0x00cf93000000ffff      // 0x18: data, CPL0
        .quad   0
        .quad   0x00cff3000000ffff      // 0x28: data, CPL3
        .quad   0x00affb000000ffff      // 0x30: code, 64-bit, CPL3
        .quad   0
        // 0x40: a task state segment of 104 + 513 bytes for each processor; the bases are filled in.
        .rept   PROCESSOR_LIMIT
        .quad   0x0000890000000268
        .quad   0
        .endr
descriptor_table_end:

        .globl  descriptor_table_pointer
descriptor_table_pointer:
        .word   descriptor_table_end - descriptor_table - 1
        .quad   descriptor_table

interrupt_table_pointer:
        .word   256 * 16 - 1
        .quad   interrupt_table

        .balign 4096
        .globl  interrupt_table
interrupt_table:
        .fill   256 * 16, 1, 0

// --- Page tables: the first 4 GiB, 2 MiB pages, present, writable, user. Swift adds what is above.

        .balign 4096
        .globl  page_table_root
page_table_root:
        .quad   directory_pointers + 7
        .fill   511, 8, 0
directory_pointers:
        .quad   directories + 7
        .quad   directories + 0x1000 + 7
        .quad   directories + 0x2000 + 7
        .quad   directories + 0x3000 + 7
        .fill   508, 8, 0
directories:
        .set    frame, 0
        .rept   2048
        .quad   frame * 0x200000 + 0x87
        .set    frame, frame + 1
        .endr
