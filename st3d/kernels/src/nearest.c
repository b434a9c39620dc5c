/* Each point's nearest of another set, by all distances: for sets of about a thousand, where a tree is slower.
 * A few vectors of queries lie in registers; the others pass by one after the other. Ties go to the lowest index.
 */
#include <float.h>
#include <stdint.h>
#include <string.h>

#include "clones.h"
#include "exact.h" /* equal bits, and so equal ties, on every machine */

/* nearest##L: the nearest of others[0..b) to each of queries[0..a); the indices count from `base`. Vectors of L floats,
 * GROUPS of them at a time: what lets the five that each needs stay in registers. */
#define NEAREST(L, GROUPS)                                                                                             \
    typedef float f##L __attribute__((vector_size(4 * L)));                                                            \
    typedef int32_t i##L __attribute__((vector_size(4 * L)));                                                          \
    INLINE void nearest##L(const float *queries, int64_t a, const float *others, int64_t b, int64_t base,              \
                           int64_t *index)                                                                             \
    {                                                                                                                  \
        for (int64_t start = 0; start < a; start += L * GROUPS) {                                                      \
            f##L x[GROUPS], y[GROUPS], z[GROUPS], best[GROUPS];                                                        \
            i##L found[GROUPS];                                                                                        \
            for (int g = 0; g < GROUPS; g++) {                                                                         \
                float column[3][L];                                                                                    \
                for (int l = 0; l < L; l++) {                                                                          \
                    int64_t i = start + g * L + l < a ? start + g * L + l : a - 1;                                     \
                    for (int axis = 0; axis < 3; axis++) column[axis][l] = queries[3 * i + axis];                      \
                }                                                                                                      \
                memcpy(x + g, column[0], sizeof x[g]), memcpy(y + g, column[1], sizeof x[g]);                          \
                memcpy(z + g, column[2], sizeof x[g]), best[g] = (f##L){0} + FLT_MAX, found[g] = (i##L){0};            \
            }                                                                                                          \
            for (int32_t j = 0; j < (int32_t)b; j++) {                                                                 \
                const float *p = others + 3 * (int64_t)j;                                                              \
                _Pragma("GCC unroll 4") for (int g = 0; g < GROUPS; g++)                                               \
                {                                                                                                      \
                    f##L u = x[g] - p[0], v = y[g] - p[1], w = z[g] - p[2], squared = u * u + v * v + w * w;           \
                    i##L nearer = squared < best[g];                                                                   \
                    best[g] = (f##L)(((i##L)squared & nearer) | ((i##L)best[g] & ~nearer));                            \
                    found[g] = (j & nearer) | (found[g] & ~nearer);                                                    \
                }                                                                                                      \
            }                                                                                                          \
            for (int g = 0; g < GROUPS; g++)                                                                           \
                for (int l = 0; l < L && start + g * L + l < a; l++)                                                   \
                    index[start + g * L + l] = base + found[g][l];                                                     \
        }                                                                                                              \
    }

NEAREST(16, 4)
NEAREST(8, 2)
NEAREST(4, 2)

/* For the sets [from, to): first (sets, m, 3) and, between offsets, second (r, 3) -> places of the nearest in the
 * other, as rows of `second` (sets * m,) and of the flattened `first` (r,).
 */
CLONES void st3d_nearest(const float *first, int64_t m, const float *second, const int64_t *offsets, int64_t from,
                         int64_t to, int64_t *to_second, int64_t *to_first)
{
    const int width = floats_in_vector();
    for (int64_t s = from; s < to; s++) {
        const float *a = first + 3 * s * m, *b = second + 3 * offsets[s];
        const int64_t r = offsets[s + 1] - offsets[s];
#define BOTH_WAYS(L)                                                                                                   \
    nearest##L(a, m, b, r, offsets[s], to_second + s * m), nearest##L(b, r, a, m, s * m, to_first + offsets[s])
        if (width == 16) BOTH_WAYS(16);
        else if (width == 8) BOTH_WAYS(8);
        else BOTH_WAYS(4);
    }
}
