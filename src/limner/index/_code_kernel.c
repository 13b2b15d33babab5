/* The hot loops of index/code_kernel.py, which has the same in numpy: rough scores of many vectors by 1-bit codes, and
   dot products with int8 codes. Every length is checked against the buffers that are given and every number read from
   one is bounded before it is used, so that a damaged file raises ValueError and never touches foreign memory. */

#include "_compiled.h"
#include <float.h>

enum { GROUP = 8, BITS = 4, AHEAD = 8 };
enum { OK = 0, DAMAGED = -1, NO_MEMORY = -2 };

typedef struct {
    const uint64_t *bits; /* (groups, words, GROUP): the words of GROUP codes beside each other */
    const float *factors; /* (groups x GROUP,), like the rows; what is behind the last code is not used */
    const uint32_t *rows;
    const int64_t *starts;
    int64_t count, words, list_count;
} Codes;

typedef struct {
    const uint64_t *planes; /* (words, BITS): the bits of each coordinate, least first; the last one counts against */
    float step;
    int32_t sum;
} Query;

/* The rough scores of a group of codes in a list of this score: which of them reach `least`, as bits. */
typedef unsigned Scorer(const uint64_t *bits, const float *factors, const Query *query, int64_t words, float base,
                        float least, float *scores);

INLINE unsigned score_group(const uint64_t *bits, const float *factors, const Query *query, int64_t words, float base,
                            float least, float *scores) {
    const int64_t weights[BITS] = {1, 2, 4, -8};
    int64_t sums[GROUP] = {0};
    for (int64_t word = 0; word < words; word++)
        for (int lane = 0; lane < GROUP; lane++)
            for (int bit = 0; bit < BITS; bit++)
                sums[lane] += weights[bit] * __builtin_popcountll(bits[word * GROUP + lane] &
                                                                  query->planes[word * BITS + bit]);
    unsigned reached = 0;
    for (int lane = 0; lane < GROUP; lane++) {
        scores[lane] = base + factors[lane] * (query->step * (float)(2 * sums[lane] - query->sum));
        reached |= (unsigned)(scores[lane] >= least) << lane;
    }
    return reached;
}

static unsigned score_plain(const uint64_t *bits, const float *factors, const Query *query, int64_t words, float base,
                            float least, float *scores) {
    return score_group(bits, factors, query, words, base, least, scores);
}

static Scorer *score = score_plain;

#ifdef __x86_64__
__attribute__((target("popcnt"))) static unsigned score_popcnt(
        const uint64_t *bits, const float *factors, const Query *query, int64_t words, float base, float least,
        float *scores) {
    return score_group(bits, factors, query, words, base, least, scores);
}

__attribute__((target("avx512f,avx512dq,avx512vl,avx512vpopcntdq"))) static unsigned score_avx512(
        const uint64_t *bits, const float *factors, const Query *query, int64_t words, float base, float least,
        float *scores) {
    __m512i counts[BITS] = {{0}};
    const int64_t *plane = (const int64_t *)query->planes;
    for (int64_t word = 0; word < words; word++, bits += GROUP, plane += BITS) {
        __m512i codes = _mm512_loadu_si512(bits);
        for (int bit = 0; bit < BITS; bit++)
            counts[bit] = _mm512_add_epi64(
                counts[bit], _mm512_popcnt_epi64(_mm512_and_si512(codes, _mm512_set1_epi64(plane[bit]))));
    }
    __m512i sums = _mm512_sub_epi64(_mm512_add_epi64(counts[0], _mm512_slli_epi64(counts[1], 1)),
                                    _mm512_sub_epi64(_mm512_slli_epi64(counts[3], 3), _mm512_slli_epi64(counts[2], 2)));
    sums = _mm512_sub_epi64(_mm512_slli_epi64(sums, 1), _mm512_set1_epi64(query->sum));
    __m256 side = _mm256_mul_ps(_mm256_set1_ps(query->step), _mm512_cvtepi64_ps(sums));
    __m256 all = _mm256_add_ps(_mm256_set1_ps(base), _mm256_mul_ps(_mm256_loadu_ps(factors), side));
    _mm256_storeu_ps(scores, all);
    return _mm256_cmp_ps_mask(all, _mm256_set1_ps(least), _CMP_GE_OQ);
}
#endif

/* A score and its row as one number: the greater, the better; of equal scores the smaller row. */
INLINE uint64_t key_of(float score, uint32_t row) {
    uint32_t order;
    score += 0.0f; /* no -0 */
    memcpy(&order, &score, 4);
    order ^= order >> 31 ? UINT32_MAX : 1u << 31;
    return (uint64_t)order << 32 | (UINT32_MAX - row);
}

INLINE float score_in(uint64_t key) {
    uint32_t order = (uint32_t)(key >> 32);
    float score;
    order ^= order >> 31 ? 1u << 31 : UINT32_MAX;
    memcpy(&score, &order, 4);
    return score;
}

typedef struct {
    uint64_t *keys;
    int64_t held, wanted, room;
    uint64_t least; /* what does not exceed it is none of the best */
    float floor;    /* the score in it */
} Best;

/* Leave the best `wanted` keys (in no order): Hoare's selection. */
static void keep_best(Best *best) {
    uint64_t *keys = best->keys;
    int64_t low = 0, high = best->held - 1, last = best->wanted - 1;
    while (low < high) {
        uint64_t pivot = keys[low + (high - low) / 2];
        int64_t i = low, j = high;
        while (i <= j) {
            while (keys[i] > pivot) i++;
            while (keys[j] < pivot) j--;
            if (i > j) break;
            uint64_t key = keys[i];
            keys[i++] = keys[j], keys[j--] = key;
        }
        if (last <= j) high = j;
        else if (last >= i) low = i;
        else break;
    }
    best->held = best->wanted, best->least = keys[last], best->floor = score_in(keys[last]);
}

/* The rows of one list, from place `first` to before `end`; how many are allowed. */
static int64_t scan_list(const Codes *codes, const Query *query, float base, int64_t first, int64_t end,
                         const uint8_t *allowed, Best *best) {
    int64_t seen = 0;
    float scores[GROUP];
    for (int64_t place = first / GROUP * GROUP; place < end; place += GROUP) {
        unsigned lanes = (1u << GROUP) - 1;
        if (place < first) lanes &= lanes << (first - place);
        if (end - place < GROUP) lanes &= (1u << (end - place)) - 1;
        for (int lane = 0; allowed && lane < GROUP; lane++) {
            if (!(lanes >> lane & 1)) continue;
            uint32_t row = codes->rows[place + lane];
            if (row >= codes->count) return DAMAGED;
            if (!allowed[row]) lanes &= ~(1u << lane);
        }
        seen += __builtin_popcount(lanes);
        if (!lanes) continue;
        lanes &= score(codes->bits + place * codes->words, codes->factors + place, query, codes->words, base,
                       best->floor, scores);
        for (; lanes; lanes &= lanes - 1) {
            int lane = __builtin_ctz(lanes);
            uint32_t row = codes->rows[place + lane];
            if (row >= codes->count) return DAMAGED;
            uint64_t key = key_of(scores[lane], row);
            if (key <= best->least) continue;
            best->keys[best->held++] = key;
            if (best->held == best->room) keep_best(best);
        }
    }
    return seen;
}

/* Read lists in their order until they score `gap` less than the first that has a row, and enough rows were seen. */
static int scan_lists(const Codes *codes, const Query *query, const int64_t *lists, const float *scores, int64_t given,
                      float gap, const uint8_t *allowed, Best *best) {
    int64_t seen = 0;
    float floor = 0;
    for (int64_t i = 0; i < given; i++) {
        int64_t list = lists[i];
        if (seen >= best->wanted && scores[i] < floor) break;
        if (list < 0 || list >= codes->list_count) return DAMAGED;
        int64_t first = codes->starts[list], end = codes->starts[list + 1];
        if (first < 0 || first > end || end > codes->count) return DAMAGED;
        int64_t more = scan_list(codes, query, scores[i], first, end, allowed, best);
        if (more < 0) return DAMAGED;
        if (!seen && more) floor = scores[i] - gap;
        seen += more;
    }
    if (best->held > best->wanted) keep_best(best);
    return OK;
}

WIDE static int32_t dot(const int8_t *code, const int16_t *query, int64_t size) {
    int32_t sum = 0;
    for (int64_t i = 0; i < size; i++) sum += code[i] * query[i];
    return sum;
}

/* Python's side. */

enum { MOST = 10 };

static void release(Py_buffer *views) {
    for (int i = 0; i < MOST; i++)
        if (views[i].obj) PyBuffer_Release(views + i);
}

static int open_all(PyObject **objects, int count, int writable, Py_buffer *views) {
    for (int i = 0; i < count; i++)
        if (objects[i] != Py_None &&
            PyObject_GetBuffer(objects[i], views + i, i < writable ? PyBUF_SIMPLE : PyBUF_WRITABLE)) return -1;
    return 0;
}

static PyObject *finish(Py_buffer *views, int status, int64_t count) {
    release(views);
    if (status == DAMAGED) return PyErr_SetString(PyExc_ValueError, "the codes are damaged or do not fit"), NULL;
    if (status == NO_MEMORY) return PyErr_NoMemory();
    return PyLong_FromLongLong(count);
}

PyDoc_STRVAR(scan_doc,
    "scan(bits, factors, rows, starts, planes, lists, scores, allowed, rows_out, scores_out, step, sum, gap)\n"
    "-> number of rows, written in no order to rows_out (k, uint32) and scores_out (k, float32).\n"
    "lists (int64) are those to read, best first, scores (float32) theirs; allowed is (rows,) bool or None.");

static PyObject *scan(PyObject *self, PyObject *arguments) {
    (void)self;
    enum { BITS_, FACTORS, ROWS, STARTS, PLANES, LISTS, SCORES, ALLOWED, ROWS_OUT, SCORES_OUT, ALL };
    Py_buffer v[MOST] = {{0}};
    PyObject *o[ALL];
    Query query;
    float gap;
    if (!PyArg_ParseTuple(arguments, "OOOOOOOOOOfif", o, o + 1, o + 2, o + 3, o + 4, o + 5, o + 6, o + 7, o + 8, o + 9,
                          &query.step, &query.sum, &gap)) return NULL;
    if (open_all(o, ALL, ROWS_OUT, v)) return release(v), NULL;
    query.planes = v[PLANES].buf;
    Codes codes = {v[BITS_].buf, v[FACTORS].buf, v[ROWS].buf, v[STARTS].buf, 0, v[PLANES].len / (8 * BITS),
                   v[STARTS].len / 8 - 1};
    if (codes.list_count > 0) codes.count = codes.starts[codes.list_count];
    Best best = {NULL, 0, v[ROWS_OUT].len / 4, 0, 0, -FLT_MAX};
    best.room = 4 * best.wanted + 64;
    int64_t given = v[LISTS].len / 8, places = (codes.count + GROUP - 1) / GROUP * GROUP;
    if (best.wanted < 1 || codes.list_count < 1 || codes.count < 0 || v[BITS_].len != places * codes.words * 8 ||
        v[ROWS].len != 4 * places || v[FACTORS].len != 4 * places || v[SCORES].len != 4 * given ||
        (v[ALLOWED].obj && v[ALLOWED].len != codes.count) || v[SCORES_OUT].len != 4 * best.wanted)
        return finish(v, DAMAGED, 0);
    int status = NO_MEMORY;
    Py_BEGIN_ALLOW_THREADS
    if ((best.keys = malloc((size_t)best.room * sizeof *best.keys)))
        status = scan_lists(&codes, &query, v[LISTS].buf, v[SCORES].buf, given, gap, v[ALLOWED].buf, &best);
    for (int64_t i = 0; status == OK && i < best.held; i++) {
        ((float *)v[SCORES_OUT].buf)[i] = score_in(best.keys[i]);
        ((uint32_t *)v[ROWS_OUT].buf)[i] = UINT32_MAX - (uint32_t)best.keys[i];
    }
    free(best.keys);
    Py_END_ALLOW_THREADS
    return finish(v, status, best.held);
}

PyDoc_STRVAR(dots_doc,
    "dots(codes, query, rows, out): fill out (m,), int32, with the dot products of the codes (n, d), int8, of these\n"
    "rows (m,), uint32, or of all if rows is None, with query (d,), int16.");

static PyObject *dots(PyObject *self, PyObject *arguments) {
    (void)self;
    enum { CODES, QUERY, ROWS, OUT, ALL };
    Py_buffer v[MOST] = {{0}};
    PyObject *o[ALL];
    if (!PyArg_ParseTuple(arguments, "OOOO", o, o + 1, o + 2, o + 3)) return NULL;
    if (open_all(o, ALL, OUT, v)) return release(v), NULL;
    int64_t size = v[QUERY].len / 2, wanted = v[OUT].len / 4, count = size ? v[CODES].len / size : 0;
    if (!size || v[CODES].len != size * count || (v[ROWS].obj ? v[ROWS].len != 4 * wanted : wanted != count))
        return finish(v, DAMAGED, 0);
    const int8_t *codes = v[CODES].buf;
    const uint32_t *rows = v[ROWS].buf;
    int32_t *out = v[OUT].buf;
    int status = OK;
    Py_BEGIN_ALLOW_THREADS
    for (int64_t i = 0; i < wanted; i++)
        if (rows && rows[i] >= count) status = DAMAGED;
    for (int64_t i = 0; status == OK && i < wanted; i++) {
        /* Rows lie far apart: fetch those that come soon while this one is being read. */
        if (rows && i + AHEAD < wanted)
            for (int64_t at = 0; at < size; at += 64) __builtin_prefetch(codes + rows[i + AHEAD] * size + at);
        out[i] = dot(codes + (rows ? rows[i] : i) * size, v[QUERY].buf, size);
    }
    Py_END_ALLOW_THREADS
    return finish(v, status, wanted);
}

static PyMethodDef methods[] = {
    {"scan", scan, METH_VARARGS, scan_doc}, {"dots", dots, METH_VARARGS, dots_doc}, {NULL, NULL, 0, NULL}};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_code_kernel", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__code_kernel(void) {
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512vpopcntdq"))
        score = score_avx512;
    else if (__builtin_cpu_supports("popcnt"))
        score = score_popcnt;
#endif
    return PyModule_Create(&module);
}
