/* A short wait for another processor, without the kernel. */
#ifndef TARE_SPIN_H
#define TARE_SPIN_H

/* Some hundred microseconds at most; mostly it takes a few, less than to sleep and be woken on another processor. */
#define SPIN_TURNS 4000

static inline void spin_pause(void) {
#if defined(__x86_64__)
    __asm__ volatile("pause");
#else
    __asm__ volatile("yield");
#endif
}

#endif
