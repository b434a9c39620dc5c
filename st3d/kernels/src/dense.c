/* A dense layer with LeakyReLU, forward and backward in one pass over the rows each. Row-major float32.
 * Letters: X (n, in), W (out, in), b (out,), Y = LeakyReLU(X W' + b) (n, out), G the gradient of Y. Of Y the backward
 * pass needs only where it is positive: a byte a number.
 *
 * All three products are one kernel: R rows of A times a panel of 16 columns, summed in registers. `in` is a multiple
 * of 16; out is any: W comes padded to whole panels.
 */
#include <stdint.h>
#include <string.h>

#include "clones.h"

enum { PANEL = 16, CHUNK = 128 };

typedef float lanes __attribute__((vector_size(4 * PANEL)));
typedef int32_t signs __attribute__((vector_size(4 * PANEL)));
typedef int8_t bytes __attribute__((vector_size(PANEL)));

INLINE lanes load(const float *from)
{
    lanes v;
    memcpy(&v, from, sizeof v);
    return v;
}

/* sum[r] = sum over i of A[r * row + i * step] * P[i], for R rows; rows from `count` on repeat the last. */
INLINE void product(const float *A, int64_t row, int64_t step, int64_t count, const float *P, int64_t inner, int R,
                    lanes *sum)
{
    const float *a[8];
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) a[r] = A + (r < count ? r : count - 1) * row, sum[r] = (lanes){0};
    for (int64_t i = 0; i < inner; i++) {
        lanes p = load(P + i * PANEL);
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) sum[r] += a[r][i * step] * p;
    }
}

INLINE void forward(const float *X, const float *panels, const float *b, int64_t in, int64_t out, float slope, float *Y,
                    int8_t *positive, int add, int64_t start, int64_t stop, int R)
{
    for (int64_t chunk = start; chunk < stop; chunk += CHUNK) {
        const int64_t end = chunk + CHUNK < stop ? chunk + CHUNK : stop;
        for (int64_t t = 0; t < out; t += PANEL) {
            const int64_t width = out - t < PANEL ? out - t : PANEL;
            lanes bias = {0};
            memcpy(&bias, b + t, sizeof(float) * (size_t)width);
            for (int64_t i = chunk; i < end; i += R) {
                lanes sum[8];
                product(X + i * in, in, 1, end - i, panels + t * in, in, R, sum);
#pragma GCC unroll 8
                for (int r = 0; r < R; r++) {
                    lanes x = sum[r] + bias, low = x * slope;
                    signs above = x > 0;
                    bytes kept = __builtin_convertvector(above, bytes);
                    const int64_t at = (i + r) * out + t;
                    x = (lanes)(((signs)x & above) | ((signs)low & ~above));
                    if (i + r >= end) continue;
                    if (add) {
                        lanes before = {0};
                        if (width == PANEL) memcpy(&before, Y + at, sizeof before);
                        else memcpy(&before, Y + at, sizeof(float) * (size_t)width);
                        x += before;
                    }
                    if (width == PANEL) { /* a copy of fixed size is one store */
                        memcpy(Y + at, &x, sizeof x);
                        if (positive) memcpy(positive + at, &kept, sizeof kept);
                    } else {
                        memcpy(Y + at, &x, sizeof(float) * (size_t)width);
                        if (positive) memcpy(positive + at, &kept, (size_t)width);
                    }
                }
            }
        }
    }
}

/* The gradient before the LeakyReLU, of `count` rows, into `into`; its column sums are added to `sums`. */
INLINE void unfold(const float *G, const int8_t *positive, int64_t count, int64_t out, float slope,
                   float *restrict into, float *restrict sums)
{
    for (int64_t i = 0; i < count; i++)
        for (int64_t o = 0; o < out; o++) {
            float g = G[i * out + o];
            g *= positive && !positive[i * out + o] ? slope : 1;
            into[i * out + o] = g;
            sums[o] += g;
        }
}

INLINE void backward(const float *X, const float *panels, const int8_t *positive, const float *G, int64_t in,
                     int64_t out, float slope, float *to_X, float *sums, int64_t start, int64_t stop, int R)
{
    float g[CHUNK * out], panel[CHUNK * PANEL];
    for (int64_t chunk = start; chunk < stop; chunk += CHUNK) {
        const int64_t count = chunk + CHUNK < stop ? CHUNK : stop - chunk;
        unfold(G + chunk * out, positive ? positive + chunk * out : NULL, count, out, slope, g, sums + out * in);
        for (int64_t t = 0; t < in; t += PANEL) {
            if (to_X)
                for (int64_t i = 0; i < count; i += R) {
                    lanes sum[8];
                    product(g + i * out, out, 1, count - i, panels + t * out, out, R, sum);
#pragma GCC unroll 8
                    for (int r = 0; r < R; r++)
                        if (i + r < count) memcpy(to_X + (chunk + i + r) * in + t, &sum[r], sizeof(lanes));
                }
            for (int64_t i = 0; i < count; i++)
                memcpy(panel + i * PANEL, X + (chunk + i) * in + t, sizeof(float) * PANEL);
            for (int64_t o = 0; o < out; o += R) {
                lanes sum[8];
                product(g + o, 1, out, out - o, panel, count, R, sum);
#pragma GCC unroll 8
                for (int r = 0; r < R; r++)
                    if (o + r < out) {
                        lanes total = load(sums + (o + r) * in + t) + sum[r];
                        memcpy(sums + (o + r) * in + t, &total, sizeof total);
                    }
            }
        }
    }
}

/* R: as many sums as fit into the registers, 32 of 16 floats with AVX-512, 16 of 8 with AVX2. */
#define FORWARD(R) forward(X, panels, b, in, out, slope, Y, positive, add, start, stop, R)
#define BACKWARD(R) backward(X, panels, positive, G, in, out, slope, to_X, sums, start, stop, R)
#define FORWARD_PARAMETERS                                                                                             \
    const float *X, const float *panels, const float *b, int64_t in, int64_t out, float slope, float *Y,               \
        int8_t *positive, int add, int64_t start, int64_t stop
#define BACKWARD_PARAMETERS                                                                                            \
    const float *X, const float *panels, const int8_t *positive, const float *G, int64_t in, int64_t out, float slope, \
        float *to_X, float *sums, int64_t start, int64_t stop

#ifdef ST3D_X86
__attribute__((target("avx512f"))) static void forward_512(FORWARD_PARAMETERS) { FORWARD(8); }
__attribute__((target("avx512f"))) static void backward_512(BACKWARD_PARAMETERS) { BACKWARD(8); }
__attribute__((target("fma"))) static void forward_256(FORWARD_PARAMETERS) { FORWARD(6); }
__attribute__((target("fma"))) static void backward_256(BACKWARD_PARAMETERS) { BACKWARD(6); }
#endif

/* Rows [start, stop) of Y, or added to what Y holds, and where the layer's result is positive (-1, else 0; not wanted:
 * NULL). panels: W' as (ceil(out / 16), in, 16), zeros behind the last column. */
void st3d_dense(FORWARD_PARAMETERS)
{
#ifdef ST3D_X86
    if (__builtin_cpu_supports("avx512f"))
        return forward_512(X, panels, b, in, out, slope, Y, positive, add, start, stop);
    if (__builtin_cpu_supports("fma"))
        return forward_256(X, panels, b, in, out, slope, Y, positive, add, start, stop);
#endif
    FORWARD(6);
}

/* Rows [start, stop) of the gradient of X (not wanted: NULL), and what these rows add to `sums` (out * in + out), the
 * gradients of W and b. panels: W as (in / 16, out, 16). */
void st3d_dense_backward(BACKWARD_PARAMETERS)
{
#ifdef ST3D_X86
    if (__builtin_cpu_supports("avx512f"))
        return backward_512(X, panels, positive, G, in, out, slope, to_X, sums, start, stop);
    if (__builtin_cpu_supports("fma"))
        return backward_256(X, panels, positive, G, in, out, slope, to_X, sums, start, stop);
#endif
    BACKWARD(6);
}
