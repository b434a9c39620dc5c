/* Rows of d numbers: the nearest of them to queries, and a coreset of them (greedy k-centre). Both exact.
 *
 * For the nearest, the rows come rotated to their principal axes too: there the first few coordinates hold most of a
 * distance. They lie in the leaves of a k-d tree over the first BOX axes; GROUP leaves that follow each other make a group,
 * and each leaf and group has its box. A box farther than the k-th row so far is skipped, and a leaf is left as soon as a
 * partial sum says so for all of its rows. What is left is measured by its true differences, in double precision: the
 * rotated, rounded rows only decide what may be skipped, with `slack` for their rounding.
 */
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "clones.h"
#include "exact.h" /* equal bits, and so equal ties, on every machine */

enum { LEAF = 32, GROUP = 16, BOX = 8, LANES = 8, QUERIES = 64 };

INLINE double squared_distance(const float *a, const float *b, int64_t d)
{
    double sum[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= d; i += LANES)
        for (int l = 0; l < LANES; l++) {
            double gap = (double)a[i + l] - (double)b[i + l];
            sum[l] += gap * gap;
        }
    for (int l = 0; i < d; i++, l++) {
        double gap = (double)a[i] - (double)b[i];
        sum[l] += gap * gap;
    }
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

/* rows: (n, d); chosen: (count,). Each next row is the farthest from all chosen, the lowest index among equals.
 *
 * A row nearer to its own centre than half of that centre's distance to the new one cannot come nearer (triangle
 * inequality) and is not measured. Returns 0, or 1 if memory ran out.
 */
CLONES int st3d_coreset(const float *rows, int64_t n, int64_t d, int64_t count, int64_t *chosen)
{
    double *squared = malloc(sizeof(double) * (size_t)n), *safe = malloc(sizeof(double) * (size_t)count);
    int64_t *owner = calloc((size_t)n, sizeof(int64_t));
    float *centres = malloc(sizeof(float) * (size_t)(count * d));
    int failed = !squared || !safe || !owner || !centres;
    if (failed) goto end;
    for (int64_t i = 0; i < n; i++) squared[i] = DBL_MAX;
    for (int64_t m = 0, current = 0; m < count; m++) {
        const float *centre = rows + current * d;
        chosen[m] = current;
        squared[current] = -1; /* it is farthest no more, nor is it measured */
        memcpy(centres + m * d, centre, sizeof(float) * (size_t)d);
        safe[m] = -1;
        for (int64_t j = 0; j < m; j++) /* less by more than rounding, so that nothing is skipped wrongly */
            safe[j] = 0.25 * (1 - 1e-9) * squared_distance(centres + j * d, centre, d);
        double farthest = -2;
        for (int64_t i = 0; i < n; i++) {
            if (squared[i] > safe[owner[i]]) {
                double now = squared_distance(rows + i * d, centre, d);
                if (now < squared[i]) {
                    squared[i] = now;
                    owner[i] = m;
                }
            }
            if (squared[i] > farthest) {
                farthest = squared[i];
                current = i;
            }
        }
    }
end:
    free(squared), free(safe), free(owner), free(centres);
    return failed;
}

/* Move the `nth` smallest of order[0..count) by coordinate `axis` to its place (Hoare's quickselect). */
static void select_nth(const float *rows, int64_t d, int64_t *order, int64_t count, int64_t nth, int64_t axis)
{
    int64_t low = 0, high = count - 1;
    while (low < high) {
        float pivot = rows[d * order[low + (high - low) / 2] + axis];
        int64_t i = low, j = high;
        while (i <= j) {
            while (rows[d * order[i] + axis] < pivot) i++;
            while (rows[d * order[j] + axis] > pivot) j--;
            if (i <= j) {
                int64_t swap = order[i];
                order[i++] = order[j];
                order[j--] = swap;
            }
        }
        if (nth <= j) high = j;
        else if (nth >= i) low = i;
        else return;
    }
}

/* Divide order[0..count) at medians of the longest side of its box into `leaves` (a power of two) parts; sizes go to
 * `sizes`. */
static void split(const float *rows, int64_t d, int64_t *order, int64_t count, int64_t leaves, int64_t *sizes)
{
    if (leaves == 1) {
        sizes[0] = count;
        return;
    }
    int64_t axis = 0;
    float longest = -1;
    for (int64_t a = 0; a < BOX && a < d; a++) {
        float low = FLT_MAX, high = -FLT_MAX;
        for (int64_t i = 0; i < count; i++) {
            float v = rows[d * order[i] + a];
            low = v < low ? v : low;
            high = v > high ? v : high;
        }
        if (high - low > longest) longest = high - low, axis = a;
    }
    int64_t half = count / 2;
    if (count > 1) select_nth(rows, d, order, count, half, axis);
    split(rows, d, order, half, leaves / 2, sizes);
    split(rows, d, order + half, count - half, leaves / 2, sizes + leaves / 2);
}

/* rotated: (n, d) -> leaves of a k-d tree: slots (leaves, d, LEAF), which rows these are (leaves, LEAF; -1: none), the
 * sides of the leaves' boxes (leaves / GROUP, 2, BOX, GROUP) and of the groups' (2, BOX, leaves / GROUP), the low ones
 * first. `leaves` is a power of two, GROUP or more, with leaves * LEAF >= n. Returns 0, or 1 if memory ran out.
 */
int st3d_rows_arrange(const float *rotated, int64_t n, int64_t d, int64_t leaves, float *slots, int64_t *index,
                      float *leaf_sides, float *group_sides)
{
    const int64_t groups = leaves / GROUP;
    int64_t *order = malloc(sizeof(int64_t) * (size_t)n), *sizes = malloc(sizeof(int64_t) * (size_t)leaves);
    int failed = !order || !sizes;
    if (failed) goto end;
    for (int64_t i = 0; i < n; i++) order[i] = i;
    split(rotated, d, order, n, leaves, sizes);
    for (int64_t g = 0; g < groups; g++) /* an axis that rows do not have bounds nothing */
        for (int64_t a = 0; a < BOX; a++) {
            group_sides[a * groups + g] = a < d ? FLT_MAX : -FLT_MAX;
            group_sides[(BOX + a) * groups + g] = a < d ? -FLT_MAX : FLT_MAX;
        }
    for (int64_t leaf = 0, start = 0; leaf < leaves; start += sizes[leaf], leaf++) {
        const int64_t g = leaf / GROUP;
        float *low = leaf_sides + g * 2 * BOX * GROUP + leaf % GROUP, *high = low + BOX * GROUP;
        for (int64_t a = 0; a < BOX; a++) {
            low[a * GROUP] = a < d ? FLT_MAX : -FLT_MAX;
            high[a * GROUP] = a < d ? -FLT_MAX : FLT_MAX;
        }
        for (int64_t i = 0; i < LEAF; i++) {
            int64_t row = i < sizes[leaf] ? order[start + i] : -1;
            index[leaf * LEAF + i] = row;
            for (int64_t a = 0; a < d; a++) {
                float v = row < 0 ? FLT_MAX : rotated[row * d + a];
                slots[(leaf * d + a) * LEAF + i] = v;
                if (row >= 0 && a < BOX) {
                    if (v < low[a * GROUP]) low[a * GROUP] = v;
                    if (v > high[a * GROUP]) high[a * GROUP] = v;
                }
            }
        }
        for (int64_t a = 0; a < BOX && a < d; a++) {
            float *under = group_sides + a * groups + g, *over = under + BOX * groups;
            if (low[a * GROUP] < *under) *under = low[a * GROUP];
            if (high[a * GROUP] > *over) *over = high[a * GROUP];
        }
    }
end:
    free(order), free(sizes);
    return failed;
}

typedef struct {
    const float *query, *rotated, *rows, *slots;
    const int64_t *index;
    int64_t d, k;
    double slack, *squared;
    int64_t *row;
    float limit; /* rotated rows beyond it are not among the k nearest */
} Search;

/* Take a row among the k nearest, which are ordered by distance, then index. */
static __attribute__((noinline)) void insert(Search *s, int64_t row)
{
    double now = squared_distance(s->query, s->rows + row * s->d, s->d);
    int64_t j = s->k - 1;
    if (now > s->squared[j] || (now == s->squared[j] && row > s->row[j])) return;
    for (; j > 0 && (now < s->squared[j - 1] || (now == s->squared[j - 1] && row < s->row[j - 1])); j--) {
        s->squared[j] = s->squared[j - 1];
        s->row[j] = s->row[j - 1];
    }
    s->squared[j] = now;
    s->row[j] = row;
    double far = sqrt(s->squared[s->k - 1]) + s->slack;
    s->limit = (float)(far * far * (1 + 1e-5 + 2e-7 * (double)s->d));
}

/* add##L: to the LEAF sums, the squared differences along the axes [from, to); vectors of L floats. */
#define ADD(L)                                                                                                         \
    typedef float f##L __attribute__((vector_size(4 * L)));                                                            \
    INLINE void add##L(const float *slots, const float *query, int64_t from, int64_t to, float *sums)                  \
    {                                                                                                                  \
        f##L sum[LEAF / L];                                                                                            \
        memcpy(sum, sums, sizeof sum);                                                                                 \
        for (int64_t a = from; a < to; a++) {                                                                          \
            const float at = query[a];                                                                                 \
            _Pragma("GCC unroll 8") for (int g = 0; g < LEAF / L; g++)                                                 \
            {                                                                                                          \
                f##L gap;                                                                                              \
                memcpy(&gap, slots + a * LEAF + g * L, sizeof gap);                                                    \
                gap -= at;                                                                                             \
                sum[g] += gap * gap;                                                                                   \
            }                                                                                                          \
        }                                                                                                              \
        memcpy(sums, sum, sizeof sum);                                                                                 \
    }

ADD(16)
ADD(8)
ADD(4)

INLINE void visit(Search *s, int64_t leaf, int width)
{
    const float *slots = s->slots + leaf * s->d * LEAF;
    float all[LEAF] = {0};
    for (int64_t from = 0; from < s->d; from += BOX) {
        const int64_t to = from + BOX < s->d ? from + BOX : s->d;
        if (width == 16) add16(slots, s->rotated, from, to, all);
        else if (width == 8) add8(slots, s->rotated, from, to, all);
        else add4(slots, s->rotated, from, to, all);
        int near = 0;
        for (int i = 0; i < LEAF; i++) near |= all[i] <= s->limit;
        if (!near) return;
    }
    for (int i = 0; i < LEAF; i++)
        if (all[i] <= s->limit && s->index[leaf * LEAF + i] >= 0) insert(s, s->index[leaf * LEAF + i]);
}

/* Squared distances from a query to `count` boxes, from their sides (2, BOX, count). */
INLINE void bounds(const float *query, int64_t axes, const float *sides, int64_t count, float *bound)
{
    for (int64_t b = 0; b < count; b++) bound[b] = 0;
    for (int64_t a = 0; a < axes; a++) {
        const float at = query[a], *low = sides + a * count, *high = low + BOX * count;
        for (int64_t b = 0; b < count; b++) {
            float below = low[b] - at, above = at - high[b];
            float gap = below > above ? below : above;
            gap = gap > 0 ? gap : 0;
            bound[b] += gap * gap;
        }
    }
}

INLINE int64_t smallest(const float *values, int64_t count)
{
    int64_t found = 0;
    for (int64_t i = 1; i < count; i++)
        if (values[i] < values[found]) found = i;
    return found;
}

/* For the queries [from, to): the k nearest rows, the nearest first and the lowest index among equals, and their squared
 * distances. Returns 0, or 1 if memory ran out.
 */
CLONES int st3d_rows_nearest(const float *queries, const float *rotated, const float *rows, int64_t d, int64_t from,
                             int64_t to, const float *slots, const int64_t *index, const float *leaf_sides,
                             const float *group_sides, int64_t leaves, int64_t k, double slack, double *squared,
                             int64_t *row)
{
    const int64_t groups = leaves / GROUP, axes = d < BOX ? d : BOX;
    const int width = floats_in_vector();
    float *of_groups = malloc(sizeof(float) * (size_t)(groups * QUERIES)), of_leaves[GROUP];
    Search search[QUERIES];
    int64_t first[QUERIES];
    if (!of_groups) return 1;
    for (int64_t start = from; start < to; start += QUERIES) {
        const int64_t count = to - start < QUERIES ? to - start : QUERIES;
        for (int64_t i = 0; i < count; i++) {
            const int64_t q = start + i;
            Search *s = search + i;
            *s = (Search){queries + q * d, rotated + q * d, rows, slots, index, d, k, slack, squared + q * k, row + q * k, INFINITY};
            for (int64_t j = 0; j < k; j++) s->squared[j] = INFINITY, s->row[j] = INT64_MAX;
            float *bound = of_groups + i * groups;
            bounds(s->rotated, axes, group_sides, groups, bound);
            const int64_t g = smallest(bound, groups);
            bounds(s->rotated, axes, leaf_sides + g * 2 * BOX * GROUP, GROUP, of_leaves);
            first[i] = g * GROUP + smallest(of_leaves, GROUP);
            visit(s, first[i], width); /* it lowers the limit, so that few others are visited */
        }
        for (int64_t g = 0; g < groups; g++) /* of all these queries, so that its rows stay in the cache */
            for (int64_t i = 0; i < count; i++) {
                Search *s = search + i;
                if (!(of_groups[i * groups + g] <= s->limit)) continue;
                bounds(s->rotated, axes, leaf_sides + g * 2 * BOX * GROUP, GROUP, of_leaves);
                for (int64_t leaf = g * GROUP; leaf < (g + 1) * GROUP; leaf++)
                    if (of_leaves[leaf % GROUP] <= s->limit && leaf != first[i]) visit(s, leaf, width);
            }
    }
    free(of_groups);
    return 0;
}
