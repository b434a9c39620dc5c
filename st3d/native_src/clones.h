/* One source, several instruction sets: the loader picks the clone that the machine runs. */
#ifndef ST3D_CLONES_H
#define ST3D_CLONES_H
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define CLONES __attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default")))
#else
#define CLONES
#endif
#endif
