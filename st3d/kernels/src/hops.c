/* Neighbourhoods several edges deep, and the reversed graph. Letters: n points, k neighbours, q starting points. */
#include <stdint.h>
#include <string.h>

/* Breadth first from the distinct points at[0..q). `order` (n,) takes all that is reached, in order of discovery;
 * counts[h], h = 0..hops, says how many are within h edges. `place` (n,), -1 everywhere, becomes the inverse of
 * `order`. Returns 0, or 1 if a start is given twice.
 */
int st3d_within_hops(const int32_t *neighbours, int64_t k, const int64_t *at, int64_t q, int64_t hops, int32_t *place,
                     int32_t *order, int64_t *counts)
{
    int64_t found = 0, expanded = 0;
    for (; found < q; found++) {
        if (place[at[found]] >= 0) return 1;
        place[at[found]] = (int32_t)found;
        order[found] = (int32_t)at[found];
    }
    counts[0] = found;
    for (int64_t h = 1; h <= hops; h++) {
        for (const int64_t stop = found; expanded < stop; expanded++) {
            const int32_t *near = neighbours + order[expanded] * k;
            for (int64_t e = 0; e < k; e++)
                if (place[near[e]] < 0) {
                    place[near[e]] = (int32_t)found;
                    order[found++] = near[e];
                }
        }
        counts[h] = found;
    }
    return 0;
}

/* The `rows` first points of `order`, their neighbours by place: (rows, k). */
void st3d_renumber(const int32_t *neighbours, int64_t k, const int32_t *place, const int32_t *order, int64_t rows,
                   int32_t *renumbered)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t e = 0; e < k; e++) renumbered[i * k + e] = place[neighbours[order[i] * k + e]];
}

/* neighbours (rows, k) in [0, n) -> offsets (n + 1,), sources (rows * k,): the rows with neighbour j, rising. */
void st3d_reverse(const int32_t *neighbours, int64_t rows, int64_t k, int64_t n, int64_t *offsets, int32_t *sources)
{
    memset(offsets, 0, sizeof(int64_t) * (size_t)(n + 1));
    for (int64_t e = 0; e < rows * k; e++) offsets[neighbours[e] + 1]++;
    for (int64_t j = 0; j < n; j++) offsets[j + 1] += offsets[j];
    for (int64_t i = 0; i < rows; i++)
        for (int64_t e = i * k; e < (i + 1) * k; e++) sources[offsets[neighbours[e]]++] = (int32_t)i;
    memmove(offsets + 1, offsets, sizeof(int64_t) * (size_t)n);
    offsets[0] = 0;
}
