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

/* How many floats a vector register holds. A kernel with vectors of its own must not have wider ones: GCC would work on
 * each of their numbers by itself, through memory, and take ten times as long. */
INLINE int floats_in_vector(void)
{
#ifdef ST3D_X86
    if (__builtin_cpu_supports("avx512f")) return 16;
    if (__builtin_cpu_supports("fma")) return 8; /* as the clones are chosen */
#endif
    return 4;
}
#endif
