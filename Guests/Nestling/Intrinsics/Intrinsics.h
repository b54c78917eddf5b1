// What Swift cannot say: instructions without a Swift spelling (ports, the time stamp
// counter, fences, the call into CPL0), volatile access to device registers, acquire and release
// on memory shared with devices, and structures whose layout the processor or the assembly code
// fixes. Everything is `static inline`; no C file is compiled.

#ifndef NESTLING_INTRINSICS_H
#define NESTLING_INTRINSICS_H

#include <stddef.h>
#include <stdint.h>

#include "Layout.h"

// --- Ports: allowed at CPL3 by the I/O bitmap in the TSS.

static inline void port_write8(uint16_t port, uint8_t value) {
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void port_write16(uint16_t port, uint16_t value) {
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void port_write32(uint16_t port, uint32_t value) {
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint8_t port_read8(uint16_t port) {
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint32_t port_read32(uint16_t port) {
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

// --- The processor.

static inline uint64_t read_tsc(void) {
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void spin_pause(void) { __asm__ volatile("pause" : : : "memory"); }

static inline void undefined_instruction(void) __attribute__((noreturn));
static inline void undefined_instruction(void) {
    __asm__ volatile("ud2" : : : "memory");
    __builtin_unreachable();
}

static inline void full_fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

// --- Calls into CPL0: `int3` with the function in EAX.

// Sleeps until an interrupt, unless one came since `seen` was read from the processor's count.
static inline void call_halt(uint64_t seen) {
    __asm__ volatile("int3" : : "a"(CALL_HALT), "d"(seen) : "memory");
}

static inline uint64_t call_read_msr(uint32_t index) {
    uint32_t low = CALL_READ_MSR, high;
    __asm__ volatile("int3" : "+a"(low), "=d"(high) : "c"(index) : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void call_write_msr(uint32_t index, uint64_t value) {
    __asm__ volatile("int3"
                     :
                     : "a"(CALL_WRITE_MSR), "c"(index), "d"((uint32_t)(value >> 32)),
                       "b"((uint32_t)value)
                     : "memory");
}

struct cpuid_result {
    uint32_t eax, ebx, ecx, edx;
};

// A KVM without hardware support cannot intercept CPUID at CPL3: it would show the host's answers.
static inline struct cpuid_result call_cpuid(uint32_t leaf, uint32_t subleaf) {
    struct cpuid_result r;
    __asm__ volatile("int3"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(CALL_CPUID), "c"(leaf), "d"(subleaf));
    return r;
}

static inline void call_enable_interrupts(void) {
    __asm__ volatile("int3" : : "a"(CALL_ENABLE_INTERRUPTS) : "memory");
}

static inline void call_stop(void) __attribute__((noreturn));
static inline void call_stop(void) {
    __asm__ volatile("int3" : : "a"(CALL_STOP) : "memory");
    __builtin_unreachable();
}

// --- Device registers.

static inline uint8_t mmio_read8(uint64_t address) { return *(volatile uint8_t *)address; }
static inline uint16_t mmio_read16(uint64_t address) { return *(volatile uint16_t *)address; }
static inline uint32_t mmio_read32(uint64_t address) { return *(volatile uint32_t *)address; }
static inline void mmio_write8(uint64_t address, uint8_t v) { *(volatile uint8_t *)address = v; }
static inline void mmio_write16(uint64_t address, uint16_t v) { *(volatile uint16_t *)address = v; }
static inline void mmio_write32(uint64_t address, uint32_t v) { *(volatile uint32_t *)address = v; }

// --- Memory shared with devices and with other processors.

static inline uint16_t shared_load16(uint64_t address) {
    return __atomic_load_n((uint16_t *)address, __ATOMIC_ACQUIRE);
}

static inline void shared_store16(uint64_t address, uint16_t value) {
    __atomic_store_n((uint16_t *)address, value, __ATOMIC_RELEASE);
}

static inline uint64_t shared_load64(const uint64_t *address) {
    return __atomic_load_n(address, __ATOMIC_ACQUIRE);
}

static inline void shared_store64(uint64_t *address, uint64_t value) {
    __atomic_store_n(address, value, __ATOMIC_RELEASE);
}

static inline uint64_t shared_add64(uint64_t *address, uint64_t value) {
    return __atomic_fetch_add(address, value, __ATOMIC_ACQ_REL);
}

static inline uint64_t shared_exchange64(uint64_t *address, uint64_t value) {
    return __atomic_exchange_n(address, value, __ATOMIC_ACQ_REL);
}

// --- Structures.

// What the loader passes in EBX (the PVH boot protocol).
struct start_info {
    uint32_t magic;
    uint32_t version;
    uint32_t flags;
    uint32_t module_count;
    uint64_t module_list;
    uint64_t command_line;
    uint64_t root_pointer;
    uint64_t memory_map;
    uint32_t memory_map_count;
    uint32_t reserved;
};

struct memory_map_entry {
    uint64_t address;
    uint64_t size;
    uint32_t type;
    uint32_t reserved;
};

struct task_state {
    uint32_t reserved0;
    uint64_t stack0;
    uint64_t stack1;
    uint64_t stack2;
    uint64_t reserved1;
    uint64_t interrupt_stacks[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_bitmap_offset;
    // Ports 0 ... 0xfff are allowed (zero bits); one byte of ones ends the bitmap.
    uint8_t io_bitmap[512];
    uint8_t io_bitmap_end;
} __attribute__((packed));

// One per vCPU. CPL0 finds it through the GS base; interrupt entry counts here and does no more:
// all interrupts, ticks, and the messages of each device vector.
struct nestling_processor {
    uint64_t self;
    uint64_t interrupts;
    uint64_t ticks;
    uint32_t tick_cycles;  // 0: the timer repeats by itself
    uint32_t index;
    uint64_t stack_top;
    uint64_t entry;
    uint64_t task_selector;
    uint64_t kernel_stack_top;
    uint64_t messages[VECTOR_DEVICE_COUNT];
    struct task_state task;
} __attribute__((packed, aligned(16)));

_Static_assert(offsetof(struct nestling_processor, interrupts) == PROCESSOR_INTERRUPTS, "");
_Static_assert(offsetof(struct nestling_processor, ticks) == PROCESSOR_TICKS, "");
_Static_assert(offsetof(struct nestling_processor, tick_cycles) == PROCESSOR_TICK_CYCLES, "");
_Static_assert(offsetof(struct nestling_processor, stack_top) == PROCESSOR_STACK_TOP, "");
_Static_assert(offsetof(struct nestling_processor, entry) == PROCESSOR_ENTRY, "");
_Static_assert(offsetof(struct nestling_processor, task_selector) == PROCESSOR_TASK_SELECTOR, "");
_Static_assert(
    offsetof(struct nestling_processor, kernel_stack_top) == PROCESSOR_KERNEL_STACK_TOP, "");
_Static_assert(offsetof(struct nestling_processor, messages) == PROCESSOR_MESSAGES, "");
_Static_assert(offsetof(struct nestling_processor, task) == PROCESSOR_TASK, "");
_Static_assert(offsetof(struct task_state, io_bitmap) == 104, "");

// What interrupt entry leaves for a fault.
struct fault_frame {
    uint64_t cr2;
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, error_code;
    uint64_t rip, cs, rflags, rsp, ss;
};

// --- Addresses of symbols of the assembly code and of the linker script. Swift sees neither arrays
// of unknown size nor C globals that are safe to use from several processors.

#define SYMBOL(name)                             \
    extern uint8_t name[];                       \
    static inline uint64_t name##_address(void) { \
        return (uint64_t)name;                   \
    }

SYMBOL(image_end)
SYMBOL(heap_start)
SYMBOL(heap_end)
SYMBOL(clock_page)
SYMBOL(exception_entries)
SYMBOL(device_entries)
SYMBOL(tick_entry)
SYMBOL(spurious_entry)
SYMBOL(breakpoint_entry)
SYMBOL(trampoline_start)
SYMBOL(trampoline_end)
SYMBOL(processor_user)
SYMBOL(boot_processor)
SYMBOL(descriptor_table)
SYMBOL(interrupt_table)
SYMBOL(page_table_root)
SYMBOL(waiting_processors)
SYMBOL(waiting_count)
SYMBOL(arrived_count)

#endif
