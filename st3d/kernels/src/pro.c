/* How many scores lie between, and at, a few sorted events: no sort of the many. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

enum { FEWEST = 1 << 10, MOST = 1 << 21 }; /* buckets; about four for an event */

/* A scale of 0 puts everything into bucket 0, whatever the offset: where the events' range is 0 or overflows float64,
 * or is so small that buckets per unit do. */
static inline int64_t bucket(double offset, double scale) { return scale > 0 ? (int64_t)(offset * scale) : 0; }

/* Equal widths between the first and the last event. Rounding is monotone, so a higher score never has a lower bucket;
 * a bucket with many events is searched by halves. */
#define COUNT(NAME, TYPE)                                                                                              \
    int NAME(const TYPE *scores, int64_t n, const TYPE *events, int64_t m, int64_t *between, int64_t *at)              \
    {                                                                                                                  \
        int64_t buckets = FEWEST;                                                                                      \
        while (buckets < MOST && buckets < 4 * m) buckets *= 2;                                                        \
        uint32_t *start = malloc(sizeof(uint32_t) * (size_t)(buckets + 1)); /* m < 2^32: a pixel each */               \
        if (!start) return 1;                                                                                          \
        const TYPE low = events[0], high = events[m - 1];                                                              \
        double scale = high > low ? (buckets - 1) / ((double)high - low) : 0;                                          \
        if (!isfinite(scale)) scale = 0;                                                                               \
        for (int64_t e = 0, b = 0; b <= buckets; b++) {                                                                \
            while (e < m && bucket((double)events[e] - low, scale) < b) e++;                                           \
            start[b] = (uint32_t)e;                                                                                    \
        }                                                                                                              \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const TYPE s = scores[i];                                                                                  \
            if (s < low || s > high) {                                                                                 \
                between[s < low ? 0 : m]++;                                                                            \
                continue;                                                                                              \
            }                                                                                                          \
            const int64_t b = bucket((double)s - low, scale);                                                          \
            int64_t first = start[b], end = start[b + 1];                                                              \
            while (first < end) {                                                                                      \
                const int64_t middle = first + (end - first) / 2;                                                      \
                if (events[middle] < s) first = middle + 1;                                                            \
                else end = middle;                                                                                     \
            }                                                                                                          \
            if (first < m && events[first] == s) at[first]++;                                                          \
            else between[first]++;                                                                                     \
        }                                                                                                              \
        free(start);                                                                                                   \
        return 0;                                                                                                      \
    }

/* scores (n,), events (m,) distinct and ascending, all finite. Adds to between (m + 1,) the scores between event
 * i - 1 and event i, to at (m,) those equal to event i. Returns 1 if memory ran out. */
COUNT(st3d_count_float, float)
COUNT(st3d_count_double, double)
