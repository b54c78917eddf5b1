// The memory functions that compilers call. Native code at CPL3; the string instructions are fast
// on every processor this runs on.

        .text
        .globl  memcpy, memmove, memset, free

memmove:
        movq    %rdi, %rax
        movq    %rdx, %rcx
        movq    %rdi, %r8
        subq    %rsi, %r8
        cmpq    %rdx, %r8
        jb      1f                      // the destination starts inside the source
        rep movsb
        ret
1:      leaq    -1(%rdi,%rdx), %rdi
        leaq    -1(%rsi,%rdx), %rsi
        std
        rep movsb
        cld
        ret

memcpy:
        movq    %rdi, %rax
        movq    %rdx, %rcx
        rep movsb
        ret

memset:
        movq    %rdi, %r8
        movl    %esi, %eax
        movq    %rdx, %rcx
        rep stosb
        movq    %r8, %rax
        ret

// Objects of Swift code are never given back.
free:
        ret

// --- Objects of the Swift code come from here, and are never given back.

        .bss
        .balign 16
        .globl  heap_start, heap_end
heap_start:
        .skip   512 * 1024
heap_end:

// A page that KVM's clock is read from, once.
        .globl  clock_page
        .balign 4096
clock_page:
        .skip   64
