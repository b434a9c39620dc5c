/* Local feature aggregation without an (n, k, c) tensor. Letters: n points, k neighbours, c channels, g geometry.
 *
 * Forward, per point: the mean over its neighbours of LeakyReLU(W G + b), and the mean of the neighbours' features.
 * With a = (1 + s) / 2 and h = (1 - s) / 2 for the slope s, LeakyReLU(x) = a x + h |x|: the linear part is summed
 * once per point, only |x| per edge. Backward recomputes x per edge; x > 0 ? 1 : -1 replaces |x|.
 * A tile is 16, 8 or 4 channels, at most what a vector register holds, and stays in registers over all k edges.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "clones.h"

typedef float f16 __attribute__((vector_size(64)));
typedef float f8 __attribute__((vector_size(32)));
typedef float f4 __attribute__((vector_size(16)));
typedef int32_t i16 __attribute__((vector_size(64)));
typedef int32_t i8 __attribute__((vector_size(32)));
typedef int32_t i4 __attribute__((vector_size(16)));

enum { GEOMETRY = 4, ABSOLUTE = 10, MOST_NEIGHBOURS = 1024 };

/* G(p, q) of every edge of point i: p - q and its length; with absolute coordinates p and q follow. */
INLINE void edges(const float *points, const int32_t *near, int64_t k, int64_t i, int g, float *G, float *sum)
{
    const float *p = points + 3 * i;
    for (int j = 0; j < g; j++) sum[j] = 0;
    for (int64_t e = 0; e < k; e++) {
        const float *q = points + 3 * (int64_t)near[e];
        float *to = G + e * g;
        float x = p[0] - q[0], y = p[1] - q[1], z = p[2] - q[2];
        to[0] = x, to[1] = y, to[2] = z, to[3] = sqrtf(x * x + y * y + z * z);
        if (g == ABSOLUTE)
            for (int a = 0; a < 3; a++) to[4 + a] = p[a], to[7 + a] = q[a];
        for (int j = 0; j < g; j++) sum[j] += to[j];
    }
}

#define TILE(T)                                                                                                        \
    INLINE f##T load##T(const float *from)                                                                             \
    {                                                                                                                  \
        f##T v;                                                                                                        \
        memcpy(&v, from, sizeof v);                                                                                    \
        return v;                                                                                                      \
    }                                                                                                                  \
    INLINE void forward##T(const float *G, const float *sum, const int32_t *near, int64_t k, int g, const float *W,    \
                           const float *b, const float *h, int64_t stride, int64_t c, float slope, float *out)         \
    {                                                                                                                  \
        f##T w[ABSOLUTE], bias = load##T(b), absolute = {0}, mean = {0}, linear;                                       \
        for (int j = 0; j < g; j++) w[j] = load##T(W + j * c);                                                         \
        for (int64_t e = 0; e < k; e++) {                                                                              \
            f##T x = bias;                                                                                             \
            for (int j = 0; j < g; j++) x += G[e * g + j] * w[j];                                                      \
            absolute += (f##T)((i##T)x & 0x7fffffff);                                                                  \
            mean += load##T(h + (int64_t)near[e] * stride);                                                            \
        }                                                                                                              \
        linear = bias * (float)k;                                                                                      \
        for (int j = 0; j < g; j++) linear += sum[j] * w[j];                                                           \
        linear = (linear * (0.5f * (1 + slope)) + absolute * (0.5f * (1 - slope))) / (float)k;                         \
        mean /= (float)k;                                                                                              \
        memcpy(out, &linear, sizeof linear);                                                                           \
        memcpy(out + c, &mean, sizeof mean);                                                                           \
    }                                                                                                                  \
    INLINE void add##T(float *into, f##T outer, f##T with_sign, float plain, float slope)                              \
    {                                                                                                                  \
        f##T total = load##T(into) + outer * (with_sign * (0.5f * (1 - slope)) + plain * (0.5f * (1 + slope)));        \
        memcpy(into, &total, sizeof total);                                                                            \
    }                                                                                                                  \
    INLINE void backward##T(const float *G, const float *sum, int64_t k, int g, int from, int to, const float *W,      \
                            const float *b, int64_t c, float slope, const float *gradient, float *into)                \
    {                                                                                                                  \
        f##T w[ABSOLUTE], bias = load##T(b), signs = {0}, s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};                      \
        for (int j = 0; j < g; j++) w[j] = load##T(W + j * c);                                                         \
        for (int64_t e = 0; e < k; e++) {                                                                              \
            f##T x = bias;                                                                                             \
            for (int j = 0; j < g; j++) x += G[e * g + j] * w[j];                                                      \
            f##T one = (f##T)(((x > 0) & INT32_MIN) ^ (i##T){0} ^ (int32_t)0xbf800000); /* -1 at 0, as torch has it */ \
            const float *edge = G + e * g + from;                                                                      \
            s0 += edge[0] * one;                                                                                       \
            if (from + 1 < to) s1 += edge[1] * one;                                                                    \
            if (from + 2 < to) s2 += edge[2] * one;                                                                    \
            if (from + 3 < to) s3 += edge[3] * one;                                                                    \
            signs += one;                                                                                              \
        }                                                                                                              \
        f##T outer = load##T(gradient) / (float)k;                                                                     \
        add##T(into + from * c, outer, s0, sum[from], slope);                                                          \
        if (from + 1 < to) add##T(into + (from + 1) * c, outer, s1, sum[from + 1], slope);                             \
        if (from + 2 < to) add##T(into + (from + 2) * c, outer, s2, sum[from + 2], slope);                             \
        if (from + 3 < to) add##T(into + (from + 3) * c, outer, s3, sum[from + 3], slope);                             \
        if (to == g) add##T(into + g * c, outer, signs, (float)k, slope);                                              \
    }                                                                                                                  \
    INLINE void gather##T(const int32_t *sources, int64_t count, const float *gradient, int64_t stride, int64_t k,     \
                          float *into)                                                                                 \
    {                                                                                                                  \
        f##T total = {0};                                                                                              \
        for (int64_t s = 0; s < count; s++) total += load##T(gradient + (int64_t)sources[s] * stride);                 \
        total /= (float)k;                                                                                             \
        memcpy(into, &total, sizeof total);                                                                            \
    }

TILE(16)
TILE(8)
TILE(4)

/* Over the channels in tiles of at most `width` channels, the widest first; c is a multiple of 4. */
#define EACH_TILE(c, width, CALL)                                                                                      \
    do {                                                                                                               \
        int64_t t = 0;                                                                                                 \
        for (; (width) >= 16 && t + 16 <= (c); t += 16) CALL(16);                                                      \
        for (; (width) >= 8 && t + 8 <= (c); t += 8) CALL(8);                                                          \
        for (; t + 4 <= (c); t += 4) CALL(4);                                                                          \
    } while (0)

INLINE void forward_range(const float *points, const int32_t *neighbours, int64_t k, int g, const float *W,
                          const float *b, const float *h, int64_t stride, int64_t c, float slope, float *out,
                          int64_t start, int64_t stop)
{
    const int width = floats_in_vector();
    float G[MOST_NEIGHBOURS * ABSOLUTE], sum[ABSOLUTE];
    for (int64_t i = start; i < stop; i++) {
        const int32_t *near = neighbours + i * k;
        edges(points, near, k, i, g, G, sum);
#define FORWARD(T) forward##T(G, sum, near, k, g, W + t, b + t, h + t, stride, c, slope, out + i * 2 * c + t)
        EACH_TILE(c, width, FORWARD);
    }
}

INLINE void backward_blocks(const float *points, const int32_t *neighbours, int64_t k, int g, const float *W,
                            const float *b, int64_t c, float slope, const float *gradient, int64_t rows, float *sums,
                            int64_t block, int64_t first, int64_t last)
{
    const int width = floats_in_vector();
    float G[MOST_NEIGHBOURS * ABSOLUTE], sum[ABSOLUTE];
    const int64_t stop = last * block < rows ? last * block : rows;
    for (int64_t i = first * block; i < stop; i++) {
        float *into = sums + i / block * (g + 1) * c;
        edges(points, neighbours + i * k, k, i, g, G, sum);
#define BACKWARD(T, FROM, TO)                                                                                          \
    backward##T(G, sum, k, g, FROM, TO, W + t, b + t, c, slope, gradient + i * 2 * c + t, into + t)
#define FIRST_COLUMNS(T) BACKWARD(T, 0, 4)
        EACH_TILE(c, width, FIRST_COLUMNS);
        if (g == ABSOLUTE) { /* four sums at a time stay in registers */
#define MIDDLE_COLUMNS(T) BACKWARD(T, 4, 8)
#define LAST_COLUMNS(T) BACKWARD(T, 8, 10)
            EACH_TILE(c, width, MIDDLE_COLUMNS);
            EACH_TILE(c, width, LAST_COLUMNS);
        }
    }
}

/* points (n, 3), neighbours (n, k), W (g, c), b (c,), h (n, c) -> out (n, 2 c), rows [start, stop). g is 4 or 10.
 * `stride` is from one point's features to the next's: c, or 0 where one row stands for all points. */
CLONES void st3d_aggregate(const float *points, const int32_t *neighbours, int64_t k, int64_t g, const float *W,
                           const float *b, const float *h, int64_t stride, int64_t c, float slope, float *out,
                           int64_t start, int64_t stop)
{
    if (g == GEOMETRY) forward_range(points, neighbours, k, GEOMETRY, W, b, h, stride, c, slope, out, start, stop);
    else forward_range(points, neighbours, k, ABSOLUTE, W, b, h, stride, c, slope, out, start, stop);
}

/* gradient (rows, 2 c) -> sums (blocks, g + 1, c), which start at 0: block j of them takes what the rows from j * block
 * on add to the gradient of W and, last, of b. Computes the blocks [first, last). */
CLONES void st3d_aggregate_weights(const float *points, const int32_t *neighbours, int64_t k, int64_t g,
                                   const float *W, const float *b, int64_t c, float slope, const float *gradient,
                                   int64_t rows, float *sums, int64_t block, int64_t first, int64_t last)
{
    if (g == GEOMETRY)
        backward_blocks(points, neighbours, k, GEOMETRY, W, b, c, slope, gradient, rows, sums, block, first, last);
    else backward_blocks(points, neighbours, k, ABSOLUTE, W, b, c, slope, gradient, rows, sums, block, first, last);
}

/* The gradient of the features, rows [start, stop): gradient (rows, 2 c) gathered over the reversed graph, no atomics.
 * Sources beyond `rows` have no gradient; they come last. */
CLONES void st3d_aggregate_features(const int64_t *offsets, const int32_t *sources, int64_t rows, int64_t k,
                                    const float *gradient, int64_t c, float *into, int64_t start, int64_t stop)
{
    const int width = floats_in_vector();
    for (int64_t i = start; i < stop; i++) {
        const int32_t *from = sources + offsets[i];
        int64_t count = offsets[i + 1] - offsets[i];
        while (count && from[count - 1] >= rows) count--;
#define GATHER(T) gather##T(from, count, gradient + c + t, 2 * c, k, into + i * c + t)
        EACH_TILE(c, width, GATHER);
    }
}
