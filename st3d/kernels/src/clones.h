/* One source, several instruction sets: the loader picks the clone that the machine runs. By feature, not by
 * "arch=": GCC resolves that by the maker of the processor, and an AMD machine would get the slow default. */
#ifndef ST3D_CLONES_H
#define ST3D_CLONES_H
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define CLONES __attribute__((target_clones("avx512f", "fma", "default")))
#define ST3D_X86
#else
#define CLONES
#endif

#define INLINE static inline __attribute__((always_inline))
#endif
