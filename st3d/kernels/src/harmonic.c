/* Harmonic interpolation: conjugate gradients in float64, preconditioned by one multigrid V-cycle in float32.
 *
 * The unknown pixels' equations are the graph Laplacian of the pixel grid (an edge between each two neighbours), with
 * the known pixels moved to the right side. A known pixel keeps its place in the grid with a row and column of zeros,
 * so that every level is a plain rectangle. Level l + 1 has every second row and column of level l; the operator is
 * P' A P with bilinear P, a 9-point stencil, which near known pixels grows a heavy diagonal by itself. The smoother is
 * a Chebyshev polynomial of degree 2 in L^-1 A, L the rows' absolute sums: all eigenvalues are at most 1 whatever the
 * mask, the upper three quarters shrink by 0.22 or more, and every loop runs along rows.
 *
 * Arrays carry one ring of zeros, so that no loop tests for the border.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "clones.h"
#include "exact.h" /* the same bits whatever instructions the machine has */

enum { MOST_LEVELS = 64, GRIDS = 5, COUPLINGS = 4, LANES = 16 };

static const float FIRST_STEP = 1.1234f, SECOND_STEP = 2.7791f; /* 1 / (5/8 +- 3/8 cos(pi/4)): Chebyshev on [1/4, 1] */

typedef struct {
    int64_t h, w, n, size;          /* rows, columns, length of a row with its ring, of a grid */
    int fine;                       /* the pixels themselves: e and s are -1 between unknown pixels */
    float *c, *inverse, *b, *x, *t; /* diagonal, 1 / absolute row sum (0: nothing unknown), right side, solution, scratch */
    float *e, *s, *se, *sw;         /* couplings to the right and to the next row */
    float *grids, *couplings;       /* as allocated */
} Level;

static int allocate(Level *l, int64_t h, int64_t w, int fine)
{
    l->h = h, l->w = w, l->n = w + 2, l->fine = fine;
    l->size = ((h + 2) * (w + 2) + LANES - 1) / LANES * LANES;
    l->grids = calloc((size_t)(l->size * GRIDS), sizeof(float));
    l->couplings = calloc((size_t)(l->size * COUPLINGS), sizeof(float));
    if (!l->grids || !l->couplings) return 1;
    float **grid[GRIDS] = {&l->c, &l->inverse, &l->b, &l->x, &l->t};
    float **coupling[COUPLINGS] = {&l->e, &l->s, &l->se, &l->sw};
    for (int g = 0; g < GRIDS; g++) *grid[g] = l->grids + g * l->size + l->n + 1;
    for (int g = 0; g < COUPLINGS; g++) *coupling[g] = l->couplings + g * l->size + l->n + 1;
    return 0;
}

/* The part of (A x) at i that comes from the other pixels; on the fine level only where i is unknown. */
INLINE float others(const Level *l, const float *x, int64_t i, int fine)
{
    const int64_t n = l->n;
    if (fine) return -((x[i - 1] + x[i + 1]) + (x[i - n] + x[i + n]));
    return (l->e[i] * x[i + 1] + l->e[i - 1] * x[i - 1]) + (l->s[i] * x[i + n] + l->s[i - n] * x[i - n]) +
           (l->se[i] * x[i + n + 1] + l->se[i - n - 1] * x[i - n - 1]) +
           (l->sw[i] * x[i + n - 1] + l->sw[i - n + 1] * x[i - n + 1]);
}

INLINE void smooth_rows(const Level *l, const float *x, float omega, float *restrict out, int fine)
{
    for (int64_t r = 0; r < l->h; r++)
        for (int64_t i = r * l->n; i < r * l->n + l->w; i++)
            out[i] = x[i] + omega * l->inverse[i] * (l->b[i] - (l->c[i] * x[i] + others(l, x, i, fine)));
}

INLINE void residual_rows(const Level *l, const float *x, float *restrict out, int fine)
{
    for (int64_t r = 0; r < l->h; r++)
        for (int64_t i = r * l->n; i < r * l->n + l->w; i++) {
            float rest = l->b[i] - (l->c[i] * x[i] + others(l, x, i, fine));
            out[i] = l->inverse[i] > 0 ? rest : 0;
        }
}

CLONES static void smooth(const Level *l, const float *x, float omega, float *out)
{
    if (l->fine) smooth_rows(l, x, omega, out, 1);
    else smooth_rows(l, x, omega, out, 0);
}

CLONES static void residual(const Level *l, const float *x, float *out)
{
    if (l->fine) residual_rows(l, x, out, 1);
    else residual_rows(l, x, out, 0);
}

/* The weight of fine row 2 I + 1 in coarse row I: bilinear, but the last row has no second parent. */
INLINE float below(int64_t I, int64_t h) { return 2 * I + 1 == h - 1 ? 1 : 0.5f; }

/* b of the coarse level = P' t of the fine one. */
CLONES static void restrict_to(const Level *f, const Level *l, float *restrict row)
{
    for (int64_t I = 0; I < l->h; I++) {
        const float *t = f->t + 2 * I * f->n, d = below(I, f->h);
        float *restrict b = l->b + I * l->n;
        for (int64_t j = 0; j < f->w; j++) row[j] = 0.5f * t[j - f->n] + t[j] + d * t[j + f->n];
        if (f->w % 2 == 0) row[f->w - 1] *= 2;
        row[-1] = row[f->w] = 0;
        for (int64_t J = 0; J < l->w; J++) b[J] = 0.5f * row[2 * J - 1] + row[2 * J] + 0.5f * row[2 * J + 1];
    }
}

/* x of the fine level += P x of the coarse one, where something is unknown. */
CLONES static void add_from(const Level *l, const Level *f, float *restrict row)
{
    for (int64_t i = 0; i < f->h; i++) {
        const float *above = l->x + i / 2 * l->n, *under = above + (i % 2 && i / 2 + 1 < l->h ? l->n : 0);
        const float *inverse = f->inverse + i * f->n;
        float *restrict x = f->x + i * f->n;
        for (int64_t J = 0; J < l->w; J++) row[J] = 0.5f * (above[J] + under[J]);
        row[l->w] = row[l->w - 1];
        for (int64_t J = 0; J < l->w; J++) {
            x[2 * J] += inverse[2 * J] > 0 ? row[J] : 0;
            x[2 * J + 1] += inverse[2 * J + 1] > 0 ? 0.5f * (row[J] + row[J + 1]) : 0;
        }
    }
}

/* Rows 2 I - 1, 2 I, 2 I + 1 of the fine operator merged, columns kept: row I of the operator coarsened vertically. */
CLONES static void merge_rows(const Level *f, int64_t I, float *restrict c, float *restrict e, float *restrict s,
                              float *restrict se, float *restrict sw)
{
    const int64_t n = f->n, o = 2 * I * n, last = 2 * I + 2 >= f->h;
    const float d = below(I, f->h), v = last ? 0 : 0.5f;
    const float *C = f->c + o, *E = f->e + o, *S = f->s + o, *SE = f->se + o, *SW = f->sw + o;
    for (int64_t j = 0; j < f->w; j++) {
        c[j] = C[j] + S[j - n] + 2 * d * S[j] + 0.25f * C[j - n] + d * d * C[j + n];
        e[j] = E[j] + 0.5f * (SW[j - n + 1] + SE[j - n]) + d * (SE[j] + SW[j + 1]) + 0.25f * E[j - n] + d * d * E[j + n];
        s[j] = v * (S[j] + 0.5f * C[j + n] + S[j + n]);
        se[j] = v * (SE[j] + 0.5f * E[j + n] + SE[j + n]);
        sw[j] = v * (SW[j] + 0.5f * E[j + n - 1] + SW[j + n]);
    }
}

/* The same for columns, from one merged row into row I of the coarse level. */
CLONES static void merge_columns(const Level *f, const Level *l, int64_t I, const float *c, const float *e,
                                 const float *s, const float *se, const float *sw)
{
    for (int64_t J = 0; J < l->w; J++) {
        const int64_t i = I * l->n + J, j = 2 * J;
        const float d = below(J, f->w), v = j + 2 >= f->w ? 0 : 0.5f;
        l->c[i] = c[j] + e[j - 1] + 2 * d * e[j] + 0.25f * c[j - 1] + d * d * c[j + 1];
        l->e[i] = v * (e[j] + 0.5f * c[j + 1] + e[j + 1]);
        l->s[i] = s[j] + 0.5f * (sw[j] + se[j - 1]) + d * (se[j] + sw[j + 1]) + 0.25f * s[j - 1] + d * d * s[j + 1];
        l->se[i] = v * (se[j] + 0.5f * s[j + 1] + se[j + 1]);
        l->sw[i] = 0.5f * (sw[j] + 0.5f * s[j - 1] + sw[j - 1]);
    }
}

static void set_inverse(const Level *l)
{
    const int64_t n = l->n;
    for (int64_t r = 0; r < l->h; r++)
        for (int64_t i = r * n; i < r * n + l->w; i++) {
            float sum = fabsf(l->c[i]) + fabsf(l->e[i]) + fabsf(l->e[i - 1]) + fabsf(l->s[i]) + fabsf(l->s[i - n]) +
                        fabsf(l->se[i]) + fabsf(l->se[i - n - 1]) + fabsf(l->sw[i]) + fabsf(l->sw[i - n + 1]);
            l->inverse[i] = l->c[i] > 0 ? 1 / sum : 0;
        }
}

/* rows: five rows of scratch, each with its ring */
static void coarsen(const Level *f, const Level *l, float *rows)
{
    float *row[5];
    for (int g = 0; g < 5; g++) row[g] = rows + g * (f->n + 2) + 1;
    for (int64_t I = 0; I < l->h; I++) {
        merge_rows(f, I, row[0], row[1], row[2], row[3], row[4]);
        for (int g = 0; g < 5; g++) row[g][-1] = row[g][f->w] = 0;
        merge_columns(f, l, I, row[0], row[1], row[2], row[3], row[4]);
    }
    set_inverse(l);
}

/* One V-cycle: x of `l` is about A^-1 b; symmetric, positive definite, linear. */
static void cycle(const Level *l, int below_it, float *row)
{
    if (!below_it) {
        l->x[0] = l->c[0] > 0 ? l->b[0] / l->c[0] : 0;
        return;
    }
    memset(l->grids + 3 * l->size, 0, sizeof(float) * (size_t)l->size); /* x */
    smooth(l, l->x, FIRST_STEP, l->t);
    smooth(l, l->t, SECOND_STEP, l->x);
    residual(l, l->x, l->t);
    restrict_to(l, l + 1, row);
    cycle(l + 1, below_it - 1, row);
    add_from(l + 1, l, row);
    smooth(l, l->x, FIRST_STEP, l->t);
    smooth(l, l->t, SECOND_STEP, l->x);
}

/* The unknown pixels' equations: degrees, couplings between unknown pixels; x0 = 0, r = what known neighbours give. */
static void equations(const Level *l, const float *values, const uint8_t *known, double middle, double scale, double *r)
{
    for (int64_t i = 0; i < l->h; i++)
        for (int64_t j = 0; j < l->w; j++) {
            const int64_t p = i * l->w + j, o = i * l->n + j;
            const int64_t near[4] = {p + 1, p + l->w, p - 1, p - l->w};
            const int there[4] = {j + 1 < l->w, i + 1 < l->h, j > 0, i > 0};
            if (known[p]) continue;
            for (int a = 0; a < 4; a++) {
                if (!there[a]) continue;
                l->c[o] += 1;
                if (known[near[a]]) r[o] += (values[near[a]] - middle) * scale;
                else if (a == 0) l->e[o] = -1;
                else if (a == 1) l->s[o] = -1;
            }
        }
    set_inverse(l);
}

/* q = A p of the fine level. */
CLONES static void apply(const Level *l, const double *restrict p, double *restrict q)
{
    const int64_t n = l->n;
    for (int64_t r = 0; r < l->h; r++)
        for (int64_t i = r * n; i < r * n + l->w; i++) {
            double product = l->c[i] * p[i] - ((p[i - 1] + p[i + 1]) + (p[i - n] + p[i + n]));
            q[i] = l->c[i] > 0 ? product : 0;
        }
}

/* Over whole grids, a multiple of LANES: always added up in the same order. */
#define DOT(NAME, TYPE)                                                                                                \
    CLONES static double NAME(const double *restrict a, const TYPE *restrict b, int64_t size)                          \
    {                                                                                                                  \
        double sums[LANES] = {0}, sum = 0;                                                                             \
        for (int64_t i = 0; i < size; i += LANES)                                                                      \
            for (int lane = 0; lane < LANES; lane++) sums[lane] += a[i + lane] * b[i + lane];                          \
        for (int lane = 0; lane < LANES; lane++) sum += sums[lane];                                                    \
        return sum;                                                                                                    \
    }
DOT(dot, double)
DOT(dot_mixed, float)

/* x += alpha p, r -= alpha q, and r in float32 for the preconditioner */
CLONES static void step(double *restrict x, double *restrict r, float *restrict b, const double *restrict p,
                        const double *restrict q, double alpha, int64_t size)
{
    for (int64_t i = 0; i < size; i++) {
        x[i] += alpha * p[i];
        r[i] -= alpha * q[i];
        b[i] = (float)r[i];
    }
}

CLONES static void conjugate(double *restrict p, const float *restrict z, double beta, int64_t size)
{
    for (int64_t i = 0; i < size; i++) p[i] = z[i] + beta * p[i];
}

/* Conjugate gradients; `vectors` holds x = 0, r = b, p, q. r' z is the error's squared energy norm, which bounds each
 * pixel's residual and error; if it is negative, the preconditioner is indefinite. Returns 1 if it did not converge. */
static int solve(const Level *l, int levels, double *vectors, float *row, double tolerance, int64_t most)
{
    const int64_t size = l->size, o = l->n + 1;
    double *x = vectors, *r = x + size, *p = r + size, *q = p + size, before = 1;
    float *b = l->b - o, *z = l->x - o;
    step(x, r, b, p, q, 0, size);
    for (int64_t iteration = 0; iteration < most; iteration++) {
        cycle(l, levels - 1, row);
        const double energy = dot_mixed(r, z, size);
        if (!(energy > tolerance * tolerance)) return !(energy >= 0);
        conjugate(p, z, iteration ? energy / before : 0, size);
        apply(l, p + o, q + o);
        step(x, r, b, p, q, energy / dot(p, q, size), size);
        before = energy;
    }
    return 1;
}

/* values, out (h, w); known (h, w) with a known pixel and an unknown one; all known values lie in [low, high], low <
 * high. tolerance: of the error's energy norm, for values scaled to a range of 1. Returns 0, 1 if memory ran out,
 * 2 if `most` iterations were too few or the preconditioner was indefinite. */
int st3d_harmonic(const float *values, const uint8_t *known, int64_t h, int64_t w, float low, float high,
                  double tolerance, int64_t most, float *out)
{
    Level level[MOST_LEVELS];
    memset(level, 0, sizeof level);
    int levels = 0, failed = 0;
    const double range = (double)high - low, middle = low + range / 2;
    double *vectors = NULL;
    float *row = malloc(sizeof(float) * 5 * (size_t)(w + 4));
    if (!row || allocate(level, h, w, 1)) failed = 1;
    if (!failed && !(vectors = calloc((size_t)(level->size * 4), sizeof(double)))) failed = 1;
    if (!failed) equations(level, values, known, middle, 1 / range, vectors + level->size + w + 3);
    for (levels = 1; !failed; levels++) {
        Level *f = level + levels - 1;
        if (f->h == 1 && f->w == 1) break;
        failed = allocate(f + 1, (f->h + 1) / 2, (f->w + 1) / 2, 0);
        if (!failed) coarsen(f, f + 1, row);
        if (levels == 1) free(f->couplings), f->couplings = NULL; /* the pixels' couplings are implied */
    }
    if (!failed) failed = 2 * solve(level, levels, vectors, row + 1, tolerance, most);
    for (int64_t p = 0; !failed && p < h * w; p++) {
        double found = middle + range * vectors[(p / w + 1) * level->n + p % w + 1];
        float filled = (float)(found < low ? low : found > high ? high : found);
        out[p] = known[p] ? values[p] : filled;
    }
    for (int i = 0; i < MOST_LEVELS; i++) free(level[i].grids), free(level[i].couplings);
    free(vectors), free(row);
    return failed;
}
