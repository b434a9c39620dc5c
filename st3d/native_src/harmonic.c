/* Harmonic interpolation on a pixel grid: conjugate gradients with a multigrid preconditioner, matrix-free.
 *
 * Unknown pixels obey u = mean of their neighbours. As a network: pixels are nodes, an edge between two unknown
 * neighbours conducts 1, an edge to a known pixel conducts to a fixed potential. A coarse cell is 2 x 2 fine ones,
 * its conductances their sums, so every level keeps the five-point form whatever the mask (unsmoothed aggregation).
 * Such a coarse level is too stiff; its correction is scaled by OVER (Braess, Computing 55, 1995). Smoothing is
 * damped Jacobi, the same number before and after, a W-cycle joins the levels: the preconditioner is symmetric.
 * The preconditioner works in float32, the conjugate gradients in float64.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "clones.h"

#define OVER 1.5f
#define DAMPING 0.8f

enum { MOST_LEVELS = 24, SMALLEST = 4, COARSEST_SWEEPS = 16, MOST_STEPS = 400, LANES = 8 };

/* One level; all arrays are (h + 2) x stride with a border of zeros, pixel (y, x) at (y + 1) * stride + x + 1.
 * east: conductance to the right neighbour, south: to the lower one, inverse: 1 / diagonal, 0 where nothing is
 * unknown. x: correction, b: right side, r: residual or the smoother's other buffer. */
typedef struct {
    int64_t h, w, stride;
    float *east, *south, *diagonal, *inverse, *x, *b, *r;
} Level;

static int64_t cells(const Level *l) { return (l->h + 2) * l->stride; }

/* to = from + DAMPING * inverse * (b - A from) */
CLONES static void smooth(const Level *l, const float *restrict from, float *restrict to)
{
    const int64_t s = l->stride;
    for (int64_t y = 1; y <= l->h; y++) {
        const float *restrict east = l->east + y * s, *restrict south = l->south + y * s;
        const float *restrict inverse = l->inverse + y * s, *restrict b = l->b + y * s;
        const float *restrict diagonal = l->diagonal + y * s, *restrict u = from + y * s;
        float *restrict out = to + y * s;
        for (int64_t x = 1; x <= l->w; x++) {
            float flow = east[x] * u[x + 1] + east[x - 1] * u[x - 1] + south[x] * u[x + s] + south[x - s] * u[x - s];
            out[x] = u[x] + DAMPING * inverse[x] * (b[x] + flow - diagonal[x] * u[x]);
        }
    }
}

/* r = b - A x */
CLONES static void residual(const Level *l)
{
    const int64_t s = l->stride;
    for (int64_t y = 1; y <= l->h; y++) {
        const float *restrict east = l->east + y * s, *restrict south = l->south + y * s;
        const float *restrict b = l->b + y * s, *restrict diagonal = l->diagonal + y * s;
        const float *restrict u = l->x + y * s;
        float *restrict r = l->r + y * s;
        for (int64_t x = 1; x <= l->w; x++) {
            float flow = east[x] * u[x + 1] + east[x - 1] * u[x - 1] + south[x] * u[x + s] + south[x - s] * u[x - s];
            r[x] = b[x] + flow - diagonal[x] * u[x];
        }
    }
}

CLONES static void start(const Level *l)
{
    for (int64_t i = 0; i < cells(l); i++) l->x[i] = DAMPING * l->inverse[i] * l->b[i];
}

/* The coarse right side: sums of the fine residual over 2 x 2 cells. */
CLONES static void restrict_to(const Level *fine, Level *coarse)
{
    const int64_t s = fine->stride;
    for (int64_t y = 0; y < coarse->h; y++) {
        const float *top = fine->r + (2 * y + 1) * s + 1;
        const float *low = top + s; /* past the last row lies the border of zeros */
        float *out = coarse->b + (y + 1) * coarse->stride + 1;
        for (int64_t x = 0; x < coarse->w; x++)
            out[x] = (top[2 * x] + top[2 * x + 1]) + (low[2 * x] + low[2 * x + 1]);
    }
}

CLONES static void prolong(const Level *coarse, Level *fine)
{
    for (int64_t y = 0; y < fine->h; y++) {
        const float *e = coarse->x + (y / 2 + 1) * coarse->stride + 1;
        const float *inverse = fine->inverse + (y + 1) * fine->stride + 1;
        float *x = fine->x + (y + 1) * fine->stride + 1;
        for (int64_t i = 0; i < fine->w; i++)
            if (inverse[i] > 0) x[i] += OVER * e[i / 2];
    }
}

static void swap(Level *l)
{
    float *x = l->x;
    l->x = l->r;
    l->r = x;
}

/* x = B b, B symmetric and positive. */
static void cycle(Level *levels, int at, int count)
{
    Level *l = &levels[at];
    start(l);
    if (at == count - 1) {
        for (int i = 0; i < COARSEST_SWEEPS; i++) smooth(l, l->x, l->r), swap(l);
        return;
    }
    smooth(l, l->x, l->r), swap(l);
    /* a W-cycle visits coarse levels twice; the finest pair only once, where it would cost the most */
    for (int visit = 0; visit < (at ? 2 : 1); visit++) {
        residual(l);
        restrict_to(l, &levels[at + 1]);
        cycle(levels, at + 1, count);
        prolong(&levels[at + 1], l);
        smooth(l, l->x, l->r), swap(l);
        smooth(l, l->x, l->r), swap(l);
    }
}

/* out = A p on the finest level, float64; returns p . A p, summed row by row in LANES lanes: a fixed order. */
CLONES static double apply(const Level *l, const double *restrict p, double *restrict out)
{
    const int64_t s = l->stride;
    double total = 0;
    for (int64_t y = 1; y <= l->h; y++) {
        const float *restrict east = l->east + y * s, *restrict south = l->south + y * s;
        const float *restrict diagonal = l->diagonal + y * s;
        const double *restrict u = p + y * s;
        double *restrict o = out + y * s, lane[LANES] = {0};
        for (int64_t x = 1; x <= l->w; x++)
            o[x] = diagonal[x] * u[x] - east[x] * u[x + 1] - east[x - 1] * u[x - 1] - south[x] * u[x + s] -
                   south[x - s] * u[x - s];
        int64_t x = 1;
        for (; x + LANES <= l->w + 1; x += LANES)
            for (int j = 0; j < LANES; j++) lane[j] += o[x + j] * u[x + j];
        for (; x <= l->w; x++) lane[0] += o[x] * u[x];
        for (int j = 0; j < LANES; j++) total += lane[j];
    }
    return total;
}

/* u += a p, r -= a q; returns the largest |r| / diagonal. */
CLONES static double advance(const Level *l, double a, const double *restrict p, const double *restrict q,
                             double *restrict u, double *restrict r)
{
    double most[LANES] = {0}, worst = 0;
    const int64_t n = cells(l) / LANES * LANES; /* cells() is a multiple: see new_level */
    for (int64_t i = 0; i < n; i += LANES)
        for (int j = 0; j < LANES; j++) {
            u[i + j] += a * p[i + j];
            r[i + j] -= a * q[i + j];
            double size = fabs(r[i + j]) * l->inverse[i + j];
            most[j] = size > most[j] ? size : most[j];
        }
    for (int j = 0; j < LANES; j++)
        if (most[j] > worst) worst = most[j];
    return worst;
}

CLONES static double dot(const double *restrict r, const float *restrict z, int64_t n)
{
    double lane[LANES] = {0}, total = 0;
    for (int64_t i = 0; i < n; i += LANES)
        for (int j = 0; j < LANES; j++) lane[j] += r[i + j] * z[i + j];
    for (int j = 0; j < LANES; j++) total += lane[j];
    return total;
}

/* p = scale z + beta p */
CLONES static void follow(double *restrict p, double scale, const float *restrict z, double beta, int64_t n)
{
    for (int64_t i = 0; i < n; i++) p[i] = scale * z[i] + beta * p[i];
}

CLONES static void narrow(const double *restrict from, double by, float *restrict to, int64_t n)
{
    for (int64_t i = 0; i < n; i++) to[i] = (float)(from[i] * by);
}

static int new_level(Level *l, int64_t h, int64_t w)
{
    l->h = h, l->w = w;
    l->stride = (w + 2 + LANES - 1) / LANES * LANES; /* also room for the odd column that restrict_to reads */
    const int64_t n = cells(l);
    float *all = calloc((size_t)n * 7, sizeof(float));
    if (!all) return 1;
    l->east = all, l->south = all + n, l->diagonal = all + 2 * n, l->inverse = all + 3 * n;
    l->x = all + 4 * n, l->b = all + 5 * n, l->r = all + 6 * n;
    return 0;
}

static void invert(Level *l)
{
    for (int64_t i = 0; i < cells(l); i++) l->inverse[i] = l->diagonal[i] > 0 ? 1 / l->diagonal[i] : 0;
}

/* Sums of conductances: edges between cells, and on the diagonal all but the edges inside a cell, twice. */
static void coarsen(const Level *fine, Level *coarse)
{
    for (int64_t y = 0; y < fine->h; y++)
        for (int64_t x = 0; x < fine->w; x++) {
            const int64_t i = (y + 1) * fine->stride + x + 1;
            const int64_t c = (y / 2 + 1) * coarse->stride + x / 2 + 1;
            coarse->diagonal[c] += fine->diagonal[i];
            if (x % 2) coarse->east[c] += fine->east[i];
            else coarse->diagonal[c] -= 2 * fine->east[i];
            if (y % 2) coarse->south[c] += fine->south[i];
            else coarse->diagonal[c] -= 2 * fine->south[i];
        }
    invert(coarse);
}

/* image: (h, w) float64, its unknown pixels filled in place; known: (h, w) bytes. Stops when every unknown pixel is
 * within `tolerance` of its neighbours' mean. Returns the steps taken, -1 without memory, -2 without convergence. */
int st3d_harmonic(double *image, const uint8_t *known, int64_t h, int64_t w, double tolerance)
{
    Level levels[MOST_LEVELS];
    memset(levels, 0, sizeof levels);
    double *work = NULL;
    int count = 0, steps = -1;
    for (int64_t y = h, x = w; count < MOST_LEVELS; y = (y + 1) / 2, x = (x + 1) / 2) {
        if (new_level(&levels[count++], y, x)) goto end;
        if (y <= SMALLEST && x <= SMALLEST) break;
    }
    Level *l = &levels[0];
    const int64_t n = cells(l), s = l->stride;
    work = calloc((size_t)n * 4, sizeof(double));
    if (!work) goto end;
    double *u = work, *r = work + n, *p = work + 2 * n, *q = work + 3 * n;

    for (int64_t y = 0; y < h; y++)
        for (int64_t x = 0; x < w; x++) {
            const int64_t from = y * w + x, i = (y + 1) * s + x + 1;
            if (known[from]) continue;
            const int64_t side[4] = {x + 1 < w ? from + 1 : -1, x ? from - 1 : -1, y + 1 < h ? from + w : -1,
                                     y ? from - w : -1};
            for (int e = 0; e < 4; e++) {
                if (side[e] < 0) continue; /* natural border: no neighbour there */
                l->diagonal[i] += 1;
                if (known[side[e]]) r[i] += image[side[e]];
                else if (e == 0) l->east[i] = 1;
                else if (e == 2) l->south[i] = 1;
            }
        }
    invert(l);
    for (int i = 1; i < count; i++) coarsen(&levels[i - 1], &levels[i]);

    double before = 0, worst = advance(l, 0, p, q, u, r);
    for (steps = 0; worst > tolerance && steps < MOST_STEPS; steps++) {
        const double size = worst; /* float32 keeps its precision however small the residual is */
        narrow(r, 1 / size, l->b, n);
        cycle(levels, 0, count);
        const double now = size * dot(r, l->x, n);
        follow(p, size, l->x, steps ? now / before : 0, n);
        before = now;
        const double along = apply(l, p, q);
        worst = advance(l, now / along, p, q, u, r);
    }
    if (worst > tolerance) steps = -2;
    for (int64_t y = 0; y < h; y++)
        for (int64_t x = 0; x < w; x++)
            if (!known[y * w + x]) image[y * w + x] = u[(y + 1) * s + x + 1];
end:
    for (int i = 0; i < count; i++) free(levels[i].east);
    free(work);
    return steps;
}
