/* Farthest point sampling by buckets: exact greedy order, ties to the lowest index.
 *
 * The points lie in the leaves of a k-d tree (buckets of at most BUCKET points), a run of GROUP buckets makes a
 * group. Each bucket and group knows its box and its largest squared distance to the points chosen so far. A new
 * point can only lower distances in boxes that are nearer to it than that distance; all others are skipped. The
 * box distance is computed with the same operations as a point's, and rounding is monotone, so no skipped point
 * would have changed: the order is that of the quadratic loop, to the bit.
 */
#include <float.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "clones.h"
#include "exact.h" /* a fused multiply-add would break the agreement with plain float64 */

enum { BUCKET = 64, GROUP = 16 };

typedef struct {
    double low[3], high[3];
    double farthest; /* largest squared distance inside, -1 if every point is chosen */
    int64_t index;   /* the lowest original index that has it */
    int64_t slot;    /* where that point lies */
} Box;

static double squared_to_box(const Box *box, const double *p)
{
    double gap[3];
    for (int a = 0; a < 3; a++) {
        double below = box->low[a] - p[a], above = p[a] - box->high[a];
        double g = below > above ? below : above;
        gap[a] = g > 0 ? g : 0;
    }
    return (gap[0] * gap[0] + gap[1] * gap[1]) + gap[2] * gap[2];
}

/* Move the `nth` smallest of order[0..count) by coordinate `axis` to its place (Hoare's quickselect). */
static void select_nth(const double *points, int64_t *order, int64_t count, int64_t nth, int axis)
{
    int64_t low = 0, high = count - 1;
    while (low < high) {
        double pivot = points[3 * order[low + (high - low) / 2] + axis];
        int64_t i = low, j = high;
        while (i <= j) {
            while (points[3 * order[i] + axis] < pivot) i++;
            while (points[3 * order[j] + axis] > pivot) j--;
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

/* Divide order[0..count) at medians of the longest side into `leaves` (a power of two) parts; sizes go to `sizes`. */
static void split_leaves(const double *points, int64_t *order, int64_t count, int64_t leaves, int64_t *sizes)
{
    if (leaves == 1) {
        sizes[0] = count;
        return;
    }
    double low[3] = {DBL_MAX, DBL_MAX, DBL_MAX}, high[3] = {-DBL_MAX, -DBL_MAX, -DBL_MAX};
    for (int64_t i = 0; i < count; i++)
        for (int a = 0; a < 3; a++) {
            double v = points[3 * order[i] + a];
            if (v < low[a]) low[a] = v;
            if (v > high[a]) high[a] = v;
        }
    int axis = 0;
    for (int a = 1; a < 3; a++)
        if (high[a] - low[a] > high[axis] - low[axis]) axis = a;
    int64_t half = count / 2;
    if (count > 1) select_nth(points, order, count, half, axis);
    split_leaves(points, order, half, leaves / 2, sizes);
    split_leaves(points, order + half, count - half, leaves / 2, sizes + leaves / 2);
}

/* Lower the distances of one bucket (padded to BUCKET with -1) to `p`; find its farthest point anew. */
CLONES static void update(double *restrict squared, const double *restrict x, const double *restrict y,
                          const double *restrict z, const int64_t *restrict index, const double *p, Box *box)
{
    double best[8] = {-1, -1, -1, -1, -1, -1, -1, -1};
    const double px = p[0], py = p[1], pz = p[2];
    for (int i = 0; i < BUCKET; i += 8)
        for (int l = 0; l < 8; l++) {
            double dx = x[i + l] - px, dy = y[i + l] - py, dz = z[i + l] - pz;
            double d = (dx * dx + dy * dy) + dz * dz;
            double now = squared[i + l] < d ? squared[i + l] : d;
            squared[i + l] = now;
            best[l] = now > best[l] ? now : best[l];
        }
    double farthest = best[0];
    for (int l = 1; l < 8; l++)
        if (best[l] > farthest) farthest = best[l];
    int64_t lowest = INT64_MAX, slot = -1;
    for (int i = 0; i < BUCKET; i++)
        if (squared[i] == farthest && index[i] < lowest) {
            lowest = index[i];
            slot = i;
        }
    box->farthest = farthest;
    box->index = lowest;
    box->slot = slot; /* within the bucket; the caller adds where the bucket starts */
}

/* points: (n, 3) float64; chosen: (count,) int64. Returns 0, or 1 if memory ran out. */
int st3d_farthest_points(const double *points, int64_t n, int64_t count, int64_t first, int64_t *chosen)
{
    int64_t leaves = 1;
    while (leaves * BUCKET < n) leaves *= 2;
    const int64_t groups = (leaves + GROUP - 1) / GROUP, slots = leaves * BUCKET;
    int64_t *order = malloc(sizeof(int64_t) * (size_t)n), *sizes = malloc(sizeof(int64_t) * (size_t)leaves);
    int64_t *index = malloc(sizeof(int64_t) * (size_t)slots);
    double *xyz = calloc((size_t)slots * 3, sizeof(double)), *squared = malloc(sizeof(double) * (size_t)slots);
    Box *boxes = malloc(sizeof(Box) * (size_t)leaves), *group = malloc(sizeof(Box) * (size_t)groups);
    int failed = !order || !sizes || !index || !xyz || !squared || !boxes || !group;
    if (failed) goto end;
    double *x = xyz, *y = xyz + slots, *z = xyz + 2 * slots;

    for (int64_t i = 0; i < n; i++) order[i] = i;
    split_leaves(points, order, n, leaves, sizes);
    for (int64_t s = 0; s < slots; s++) {
        squared[s] = -1; /* padding, and later every chosen point */
        index[s] = INT64_MAX;
    }
    int64_t current = -1;
    for (int64_t b = 0, taken = 0; b < leaves; taken += sizes[b], b++) {
        for (int a = 0; a < 3; a++) boxes[b].low[a] = DBL_MAX, boxes[b].high[a] = -DBL_MAX;
        boxes[b].farthest = sizes[b] ? DBL_MAX : -1;
        boxes[b].index = INT64_MAX;
        boxes[b].slot = b * BUCKET;
        for (int64_t i = 0; i < sizes[b]; i++) {
            int64_t s = b * BUCKET + i, from = order[taken + i];
            const double *p = points + 3 * from;
            x[s] = p[0], y[s] = p[1], z[s] = p[2], squared[s] = DBL_MAX, index[s] = from;
            for (int a = 0; a < 3; a++) {
                if (p[a] < boxes[b].low[a]) boxes[b].low[a] = p[a];
                if (p[a] > boxes[b].high[a]) boxes[b].high[a] = p[a];
            }
            if (from == first) current = s;
        }
    }
    for (int64_t g = 0; g < groups; g++) {
        group[g] = boxes[g * GROUP];
        for (int64_t b = g * GROUP; b < (g + 1) * GROUP && b < leaves; b++)
            for (int a = 0; a < 3; a++) {
                if (boxes[b].low[a] < group[g].low[a]) group[g].low[a] = boxes[b].low[a];
                if (boxes[b].high[a] > group[g].high[a]) group[g].high[a] = boxes[b].high[a];
            }
        group[g].farthest = DBL_MAX;
    }

    for (int64_t j = 0; j < count; j++) {
        chosen[j] = index[current];
        squared[current] = -1;
        const double p[3] = {x[current], y[current], z[current]};
        const int64_t own = current / BUCKET;
        const Box *best = NULL;
        for (int64_t g = 0; g < groups; g++) {
            if (g == own / GROUP || squared_to_box(&group[g], p) < group[g].farthest) {
                group[g].farthest = -1;
                group[g].index = INT64_MAX;
                for (int64_t b = g * GROUP; b < (g + 1) * GROUP && b < leaves; b++) {
                    Box *box = &boxes[b];
                    if (b == own || squared_to_box(box, p) < box->farthest) {
                        int64_t s = b * BUCKET;
                        update(squared + s, x + s, y + s, z + s, index + s, p, box);
                        box->slot += s;
                    }
                    if (box->farthest > group[g].farthest ||
                        (box->farthest == group[g].farthest && box->index < group[g].index)) {
                        group[g].farthest = box->farthest;
                        group[g].index = box->index;
                        group[g].slot = box->slot;
                    }
                }
            }
            if (!best || group[g].farthest > best->farthest ||
                (group[g].farthest == best->farthest && group[g].index < best->index))
                best = &group[g];
        }
        current = best->slot;
    }
end:
    free(order), free(sizes), free(index), free(xyz), free(squared), free(boxes), free(group);
    return failed;
}
