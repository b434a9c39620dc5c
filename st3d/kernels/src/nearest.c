/* Each point's nearest of another set, by all distances: for sets of about a thousand, where a tree is slower.
 * LANES queries at a time lie in registers; the others pass by one after the other. Ties go to the lowest index.
 */
#include <float.h>
#include <stdint.h>
#include <string.h>

#include "clones.h"
#include "exact.h" /* equal bits, and so equal ties, on every machine */

enum { LANES = 16, GROUPS = 4 };

typedef float lanes __attribute__((vector_size(4 * LANES)));
typedef int32_t numbers __attribute__((vector_size(4 * LANES)));

/* The nearest of others[0..b) to each of queries[0..a); the indices count from `base`. */
INLINE void nearest(const float *queries, int64_t a, const float *others, int64_t b, int64_t base, int64_t *index)
{
    for (int64_t start = 0; start < a; start += LANES * GROUPS) {
        lanes x[GROUPS], y[GROUPS], z[GROUPS], best[GROUPS];
        numbers found[GROUPS];
        for (int g = 0; g < GROUPS; g++)
            for (int l = 0; l < LANES; l++) {
                int64_t i = start + g * LANES + l;
                const float *p = queries + 3 * (i < a ? i : a - 1);
                x[g][l] = p[0], y[g][l] = p[1], z[g][l] = p[2], best[g][l] = FLT_MAX, found[g][l] = 0;
            }
        for (int32_t j = 0; j < (int32_t)b; j++) {
            const float *p = others + 3 * (int64_t)j;
#pragma GCC unroll 4
            for (int g = 0; g < GROUPS; g++) {
                lanes u = x[g] - p[0], v = y[g] - p[1], w = z[g] - p[2], squared = u * u + v * v + w * w;
                numbers nearer = squared < best[g];
                best[g] = (lanes)(((numbers)squared & nearer) | ((numbers)best[g] & ~nearer));
                found[g] = (j & nearer) | (found[g] & ~nearer);
            }
        }
        for (int g = 0; g < GROUPS; g++)
            for (int l = 0; l < LANES && start + g * LANES + l < a; l++)
                index[start + g * LANES + l] = base + found[g][l];
    }
}

/* For the sets [from, to): first (sets, m, 3) and, between offsets, second (r, 3) -> places of the nearest in the
 * other, as rows of `second` (sets * m,) and of the flattened `first` (r,).
 */
CLONES void st3d_nearest(const float *first, int64_t m, const float *second, const int64_t *offsets, int64_t from,
                         int64_t to, int64_t *to_second, int64_t *to_first)
{
    for (int64_t s = from; s < to; s++) {
        const float *a = first + 3 * s * m, *b = second + 3 * offsets[s];
        const int64_t r = offsets[s + 1] - offsets[s];
        nearest(a, m, b, r, offsets[s], to_second + s * m);
        nearest(b, r, a, m, s * m, to_first + offsets[s]);
    }
}
