/* Which of many vectors may be among the best of each query: dot products that are compared, not kept.
   exact.py explains what for; every function here is one loop of it. */

#include "_compiled.h"
#include <math.h>

#define AHEAD 8 /* rows that are fetched before they are needed, where they are not side by side */
#define LINE 16 /* numbers of a cache line */
#define LANES 8 /* of 4 bytes: a register of AVX2; wider ones read no faster */
#define TILE 12 /* rows that are multiplied together */

typedef struct {
    const float *vectors, *queries, *floors, *slack;
    const int64_t *rows;
    int64_t size, query_count, stop, capacity;
    int32_t *owners;
    int64_t *places;
    float *scores;
    int64_t count;
} Scan;

#pragma GCC diagnostic ignored "-Wpsabi" /* every function that handles these is inlined */
typedef float Lanes __attribute__((vector_size(4 * LANES)));

INLINE const float *row_at(const Scan *scan, int64_t place) {
    return scan->vectors + (scan->rows ? scan->rows[place] : place) * scan->size;
}

INLINE Lanes lanes_at(const float *numbers) {
    Lanes lanes;
    memcpy(&lanes, numbers, sizeof lanes);
    return lanes;
}

INLINE float dot(const float *a, const float *b, int64_t size) {
    Lanes sums[8] = {{0}};
    int64_t i = 0;
    for (; i + 8 * LANES <= size; i += 8 * LANES)
        for (int j = 0; j < 8; j++) sums[j] += lanes_at(a + i + LANES * j) * lanes_at(b + i + LANES * j);
    for (; i + LANES <= size; i += LANES) sums[0] += lanes_at(a + i) * lanes_at(b + i);
    for (int j = 1; j < 8; j++) sums[0] += sums[j];
    float sum = 0;
    for (int j = 0; j < LANES; j++) sum += sums[0][j];
    for (; i < size; i++) sum += a[i] * b[i];
    return sum;
}

INLINE void compare(Scan *scan, int64_t place, const float *vector, int64_t query) {
    const float score = dot(vector, scan->queries + query * scan->size, scan->size);
    if (score < scan->floors[query]) return;
    scan->owners[scan->count] = (int32_t)query, scan->places[scan->count] = place;
    scan->scores[scan->count++] = score;
}

/* One row after the other with each query: for a few of these, memory is what takes the time. */
WIDE static int64_t scan_plainly(Scan *scan, int64_t place) {
    for (; place < scan->stop && scan->count + scan->query_count <= scan->capacity; place++) {
        if (scan->rows && place + AHEAD < scan->stop)
            for (int64_t i = 0; i < scan->size; i += LINE) __builtin_prefetch(row_at(scan, place + AHEAD) + i);
        const float *vector = row_at(scan, place);
        for (int64_t query = 0; query < scan->query_count; query++) compare(scan, place, vector, query);
    }
    return place;
}

#ifdef __x86_64__
/* A tile of rows and a group of queries, both rounded to bfloat16, are multiplied within the registers. */

#define BF16 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")))
#define WIDTH 2 /* registers of 16 queries */
#define GROUP (16 * WIDTH)

/* `size` numbers as pairs of bfloat16, padded with zeros to a multiple of 32. */
BF16 static void round_row(const float *numbers, int64_t size, uint32_t *pairs) {
    for (int64_t i = 0; i < size; i += 32) {
        const int64_t left = size - i;
        const __mmask16 low = left >= 16 ? 0xffff : (__mmask16)((1u << left) - 1);
        const __mmask16 high = left >= 32 ? 0xffff : left <= 16 ? 0 : (__mmask16)((1u << (left - 16)) - 1);
        __m512bh rounded = _mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(high, numbers + i + 16),
                                               _mm512_maskz_loadu_ps(low, numbers + i));
        memcpy(pairs + i / 2, &rounded, sizeof rounded);
    }
}

/* Queries in groups; in a group one pair of numbers after the other, of each query in turn. */
BF16 static void pack(const Scan *scan, int64_t pair_count, uint32_t *row, uint32_t *packed) {
    for (int64_t query = 0; query < scan->query_count; query++) {
        round_row(scan->queries + query * scan->size, scan->size, row);
        uint32_t *own = packed + query / GROUP * pair_count * GROUP + query % GROUP;
        for (int64_t pair = 0; pair < pair_count; pair++) own[pair * GROUP] = row[pair];
    }
}

INLINE BF16 void multiply(const uint32_t *tile, const uint32_t *group, int64_t pair_count, __m512 sums[TILE][WIDTH]) {
#pragma GCC unroll 12
    for (int i = 0; i < TILE; i++)
#pragma GCC unroll 2
        for (int j = 0; j < WIDTH; j++) sums[i][j] = _mm512_setzero_ps();
    for (int64_t pair = 0; pair < pair_count; pair++, group += GROUP) {
        __m512i own[WIDTH];
#pragma GCC unroll 2
        for (int j = 0; j < WIDTH; j++) own[j] = _mm512_loadu_si512(group + 16 * j);
#pragma GCC unroll 12
        for (int i = 0; i < TILE; i++) {
            const __m512i both = _mm512_set1_epi32((int)tile[i * pair_count + pair]);
#pragma GCC unroll 2
            for (int j = 0; j < WIDTH; j++) sums[i][j] = _mm512_dpbf16_ps(sums[i][j], (__m512bh)both, (__m512bh)own[j]);
        }
    }
}

BF16 static int64_t scan_rounded(Scan *scan, int64_t place, int64_t pair_count, const float *rough_floors,
                                 const uint32_t *packed, uint32_t *tile) {
    const int64_t groups = (scan->query_count + GROUP - 1) / GROUP;
    for (; place < scan->stop && scan->count + TILE * scan->query_count <= scan->capacity; place += TILE) {
        const int64_t rows = scan->stop - place < TILE ? scan->stop - place : TILE;
        for (int64_t i = 0; i < rows; i++) round_row(row_at(scan, place + i), scan->size, tile + i * pair_count);
        for (int64_t group = 0; group < groups; group++) {
            for (int64_t i = group; i < TILE && place + TILE + i < scan->stop; i += groups)
                for (int64_t j = 0; j < scan->size; j += LINE) __builtin_prefetch(row_at(scan, place + TILE + i) + j);
            __m512 sums[TILE][WIDTH];
            multiply(tile, packed + group * pair_count * GROUP, pair_count, sums);
            for (int j = 0; j < WIDTH; j++) {
                const int64_t first = group * GROUP + 16 * j;
                const __m512 floors = _mm512_loadu_ps(rough_floors + first);
                for (int64_t i = 0; i < rows; i++)
                    for (uint32_t left = _mm512_cmp_ps_mask(sums[i][j], floors, _CMP_GE_OQ); left; left &= left - 1)
                        compare(scan, place + i, row_at(scan, place + i), first + __builtin_ctz(left));
            }
        }
    }
    return place < scan->stop ? place : scan->stop;
}
#endif

/* -> the place where it stopped; -1: no memory. */
static int64_t scan_any(Scan *scan, int64_t place) {
#ifdef __x86_64__
    if (scan->slack) {
        const int64_t groups = (scan->query_count + GROUP - 1) / GROUP, pair_count = (scan->size + 31) / 32 * 16;
        const size_t numbers = (size_t)((groups * GROUP + TILE + 1) * pair_count);
        uint32_t *pairs = calloc(numbers + 1, sizeof *pairs);
        float *floors = malloc((size_t)(groups * GROUP + 1) * sizeof *floors);
        if (pairs && floors) {
            uint32_t *tile = pairs + groups * GROUP * pair_count;
            pack(scan, pair_count, tile + TILE * pair_count, pairs);
            for (int64_t query = 0; query < groups * GROUP; query++)
                floors[query] = query < scan->query_count ? scan->floors[query] - scan->slack[query] : INFINITY;
            place = scan_rounded(scan, place, pair_count, floors, pairs, tile);
        } else place = -1;
        free(pairs), free(floors);
        return place;
    }
#endif
    return scan_plainly(scan, place);
}

static int can_round(void) {
#ifdef __x86_64__
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bf16");
#else
    return 0;
#endif
}

/* Codes of one byte a number: the rows whose sum of products with the query, times their scale, is `floor` or more. */
WIDE static int64_t scan_codes(const int8_t *codes, const float *scales, const int16_t *query, int64_t count,
                               int64_t size, float floor, int64_t *rows) {
    int64_t found = 0;
    for (int64_t row = 0; row < count; row++, codes += size) {
        int32_t sum = 0;
        for (int64_t i = 0; i < size; i++) sum += (int16_t)codes[i] * query[i];
        if ((float)sum * scales[row] >= floor) rows[found++] = row;
    }
    return found;
}

enum { VECTORS, ROWS, QUERIES, FLOORS, SLACK, OWNERS, PLACES, SCORES, BUFFERS };

static const char *mismatch(const Scan *scan, const Py_buffer *views, int64_t start) {
    const int64_t row_bytes = 4 * scan->size, queries = scan->query_count;
    if (!row_bytes || views[VECTORS].len % row_bytes || views[QUERIES].len != queries * row_bytes) return "vectors";
    if (views[SLACK].obj && (views[SLACK].len != 4 * queries || !can_round())) return "slack";
    if (views[PLACES].len != 8 * scan->capacity || views[SCORES].len != 4 * scan->capacity ||
        scan->capacity < TILE * queries) return "what is found";
    const int64_t count = views[VECTORS].len / row_bytes;
    if (start < 0 || start > scan->stop || scan->stop > (scan->rows ? views[ROWS].len / 8 : count)) return "places";
    for (int64_t i = start; scan->rows && i < scan->stop; i++)
        if (scan->rows[i] < 0 || scan->rows[i] >= count) return "rows";
    return NULL;
}

PyDoc_STRVAR(scan_doc,
    "scan(vectors, rows, start, stop, queries, floors, slack, owners, places, scores) -> (place, count)\n\n"
    "Compare the vectors (n, d), or only rows (m,) int64 of them, from the place start (of rows or of all) to stop,\n"
    "with queries (q, d). A dot product of floors (q,) or more is a candidate: its query, place and value go to\n"
    "owners (c,) int32, places (c,) int64 and scores (c,). All else is float32. With slack (q,), products of numbers\n"
    "rounded to bfloat16, which are off by less than that, say which are worth computing; where CAN_ROUND only.\n"
    "Stops at a place before stop when there may be no room for more; c must be at least 12 q.");

static PyObject *scan(PyObject *self, PyObject *arguments) {
    (void)self;
    PyObject *objects[BUFFERS];
    Py_buffer views[BUFFERS] = {{0}};
    long long start, stop;
    if (!PyArg_ParseTuple(arguments, "OOLLOOOOOO", objects, objects + 1, &start, &stop, objects + 2, objects + 3,
                          objects + 4, objects + 5, objects + 6, objects + 7)) return NULL;
    PyObject *result = NULL;
    for (int i = 0; i < BUFFERS; i++) {
        const int flags = i < OWNERS ? PyBUF_SIMPLE : PyBUF_WRITABLE;
        if (objects[i] != Py_None && PyObject_GetBuffer(objects[i], views + i, flags)) goto done;
    }
    const int64_t queries = views[FLOORS].len / 4;
    Scan call = {views[VECTORS].buf, views[QUERIES].buf, views[FLOORS].buf, views[SLACK].buf, views[ROWS].buf,
                 queries ? views[QUERIES].len / 4 / queries : 0, queries, stop, views[OWNERS].len / 4,
                 views[OWNERS].buf, views[PLACES].buf, views[SCORES].buf, 0};
    const char *wrong = mismatch(&call, views, start);
    if (wrong) {
        PyErr_Format(PyExc_ValueError, "the arrays do not fit together: %s", wrong);
        goto done;
    }
    int64_t place;
    Py_BEGIN_ALLOW_THREADS
    place = scan_any(&call, start);
    Py_END_ALLOW_THREADS
    result = place < 0 ? PyErr_NoMemory() : Py_BuildValue("LL", (long long)place, (long long)call.count);
done:
    for (int i = 0; i < BUFFERS; i++)
        if (views[i].obj) PyBuffer_Release(views + i);
    return result;
}

PyDoc_STRVAR(near_doc,
    "near(codes, scales, query, floor, rows) -> count\n\n"
    "Rows of codes (n, d) int8 whose product with the query (d,) int16, times their scale (n,) float32, is at least\n"
    "floor, into rows (n,) int64. 128 times the sum of the query's absolute numbers must fit into 31 bits.");

static PyObject *near(PyObject *self, PyObject *arguments) {
    (void)self;
    enum { CODES, SCALES, QUERY, FOUND, COUNT };
    PyObject *objects[COUNT], *result = NULL;
    Py_buffer views[COUNT] = {{0}};
    float floor;
    if (!PyArg_ParseTuple(arguments, "OOOfO", objects, objects + 1, objects + 2, &floor, objects + 3)) return NULL;
    for (int i = 0; i < COUNT; i++)
        if (PyObject_GetBuffer(objects[i], views + i, i == FOUND ? PyBUF_WRITABLE : PyBUF_SIMPLE)) goto done;
    const int64_t count = views[SCALES].len / 4, size = views[QUERY].len / 2;
    const int16_t *query = views[QUERY].buf;
    int64_t sum = 0, found;
    for (int64_t i = 0; i < size; i++) sum += 128 * llabs((long long)query[i]);
    if (views[CODES].len != count * size || views[FOUND].len != 8 * count || sum > INT32_MAX) {
        PyErr_SetString(PyExc_ValueError, "the arrays do not fit together");
        goto done;
    }
    Py_BEGIN_ALLOW_THREADS
    found = scan_codes(views[CODES].buf, views[SCALES].buf, query, count, size, floor, views[FOUND].buf);
    Py_END_ALLOW_THREADS
    result = PyLong_FromLongLong(found);
done:
    for (int i = 0; i < COUNT; i++)
        if (views[i].obj) PyBuffer_Release(views + i);
    return result;
}

static PyMethodDef methods[] = {
    {"scan", scan, METH_VARARGS, scan_doc}, {"near", near, METH_VARARGS, near_doc}, {NULL, NULL, 0, NULL}};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_products", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__products(void) {
    PyObject *made = PyModule_Create(&module);
    if (made && PyModule_AddIntConstant(made, "CAN_ROUND", can_round())) Py_CLEAR(made);
    return made;
}
