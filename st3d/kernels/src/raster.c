/* Points and cells projected into an image. Pixels are (row, column), whole numbers are centres. */
#include <math.h>
#include <stdint.h>

#include "exact.h"

/* Pixels: an edge's place in a row is rounded, and a centre that lies on the edge must not fall out of the hull. */
static const double TOLERANCE = 1e-9;

typedef struct {
    double row, column;
} Place;

/* pixels (n, 2), depth (n,). found (h, w): the nearest point in each pixel, the first of equals; -1 for none. */
void st3d_splat(const double *pixels, const double *depth, int64_t n, int64_t h, int64_t w, int64_t *found)
{
    for (int64_t p = 0; p < h * w; p++) found[p] = -1;
    for (int64_t i = 0; i < n; i++) {
        const double row = pixels[2 * i] + 0.5, column = pixels[2 * i + 1] + 0.5; /* the cast below is their floor */
        if (!(row >= 0 && row < h && column >= 0 && column < w) || isnan(depth[i])) continue; /* so is NaN */
        int64_t *at = found + (int64_t)row * w + (int64_t)column;
        if (*at < 0 || depth[i] < depth[*at]) *at = i;
    }
}

/* The sorted places' hull between the first and the last, on the side of lower (side = 1) or higher (-1) columns. */
static inline void chain(const Place places[8], double side, Place hull[8])
{
    int count = 0;
    for (int i = 0; i < 8; i++) {
        while (count >= 2) {
            const Place a = hull[count - 2], b = hull[count - 1], c = places[i];
            const double area = (b.row - a.row) * (c.column - a.column) - (b.column - a.column) * (c.row - a.row);
            if (side * area > 0) break;
            count--;
        }
        hull[count++] = places[i];
    }
}

/* Where the chain crosses `row`, a row between its ends; *edge only grows from call to call. */
static inline double crossing(const Place *hull, int *edge, double row, double side)
{
    while (hull[*edge + 1].row < row) ++*edge;
    const Place a = hull[*edge], b = hull[*edge + 1];
    if (a.row == b.row) return side * fmin(side * a.column, side * b.column);
    return a.column + (row - a.row) / (b.row - a.row) * (b.column - a.column);
}

/* Raise every pixel in the convex hull of 8 places to `score`. */
static void raise_hull(Place places[8], float score, int64_t h, int64_t w, float *image)
{
    double low = places[0].column, high = low, finite = 0;
    for (int i = 0; i < 8; i++) {
        const Place place = places[i];
        finite += 0 * place.row + 0 * place.column;
        low = place.column < low ? place.column : low;
        high = place.column > high ? place.column : high;
        int j = i; /* sorted by row, then by column */
        for (; j > 0; j--) {
            const Place before = places[j - 1];
            if (before.row < place.row || (before.row == place.row && before.column <= place.column)) break;
            places[j] = before;
        }
        places[j] = place;
    }
    const double top = ceil(fmax(places[0].row, 0)), bottom = floor(fmin(places[7].row, (double)(h - 1)));
    if (finite != 0 || high < -TOLERANCE || low > w - 1 + TOLERANCE || !(top <= bottom)) return; /* NaN != 0 */
    Place left[8], right[8];
    chain(places, 1, left);
    chain(places, -1, right);
    int at_left = 0, at_right = 0;
    for (double row = top; row <= bottom; row++) {
        const double from = fmax(crossing(left, &at_left, row, 1) - TOLERANCE, 0);
        const double to = fmin(crossing(right, &at_right, row, -1) + TOLERANCE, (double)(w - 1));
        if (!(from <= to)) continue;
        const int64_t first = (int64_t)from + (from > (double)(int64_t)from), last = (int64_t)to;
        float *line = image + (int64_t)row * w;
        for (int64_t c = first; c <= last; c++) line[c] = line[c] > score ? line[c] : score;
    }
}

/* scores (a, b, c), corners (a + 1, b + 1, c + 1). image (h, w): the highest score of the cells whose corners' hull
 * holds the pixel's centre, 0 in none. A cell with a corner that is not finite is left out. */
void st3d_spread_cells(const float *scores, const Place *corners, int64_t a, int64_t b, int64_t c, int64_t h,
                       int64_t w, float *image)
{
    for (int64_t p = 0; p < h * w; p++) image[p] = -INFINITY;
    const int64_t line = c + 1, sheet = (b + 1) * line;
    for (int64_t i = 0; i < a; i++)
        for (int64_t j = 0; j < b; j++)
            for (int64_t k = 0; k < c; k++) {
                const Place *q = corners + i * sheet + j * line + k;
                Place places[8] = {q[0],     q[1],         q[line],         q[line + 1],
                                   q[sheet], q[sheet + 1], q[sheet + line], q[sheet + line + 1]};
                raise_hull(places, *scores++, h, w, image);
            }
    for (int64_t p = 0; p < h * w; p++) image[p] = image[p] == -INFINITY ? 0 : image[p];
}
