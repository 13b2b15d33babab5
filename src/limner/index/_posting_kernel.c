/* Top-k over the posting lists of index/posting_lists.py: the hot loops of index/posting_kernel.py, which has the same
   in numpy. Every length is checked against the buffers that are given and every number read from a list is
   bounded before it is used, so that a damaged file raises ValueError and never touches foreign memory. */

#include "_compiled.h"
#define ALIGNED __attribute__((aligned(64)))

enum { BLOCK_BITS = 13, BLOCK = 1 << BLOCK_BITS, FIELD_BITS = BLOCK_BITS + 8, PADDING = 128, PAGE_BITS = 16 };
enum { PREFETCHED = 1024, GROUP = 64 };
enum { OK = 0, DAMAGED = -1, NO_MEMORY = -2 };
#define NONE INT32_MIN /* the score of a document that is no answer */
#define UNTOUCHED (-(1 << 30)) /* less than any sum of weights: those are scaled to stay within 2^30 */
/* Lists are looked up in, not added up, once their bounds come to less than this share of the k-th score, they hold
   so many postings at least, and looking up each document that could still make it costs less than adding them. */
#define PRUNED_SHARE 0.5
#define PRUNED_POSTINGS 600
#define LOOK_UP_COST 30 /* in postings added up */

typedef struct {
    const uint16_t *blocks, *counts;
    const uint8_t *maxima, *data;
    const uint16_t *rows, *pages;
    int64_t entries, size, documents, page_count, block_count;
} Index;

typedef struct {
    const int64_t *first, *last, *offset; /* of each term: its entries, and where its first list starts */
    const int32_t *weights;
    int64_t count, positive; /* terms in all, and those at the front that have a positive weight */
} Query;

typedef struct {
    int64_t offset;
    uint16_t count; /* 0: the term does not occur in the block */
    uint8_t maximum;
} List;

typedef struct {
    int32_t scores[BLOCK], products[BLOCK + 16];
    uint32_t ids[BLOCK + 16];
    uint16_t highs[BLOCK + 64];
} ALIGNED Scratch;

typedef uint8_t Bytes __attribute__((vector_size(16)));
typedef uint16_t Halves __attribute__((vector_size(8)));
typedef uint32_t Words __attribute__((vector_size(16)));

/* By the number of postings of a list: low bits an id, and bytes that hold the rest of all its ids. */
static uint8_t low_bits[BLOCK + 1];
static uint16_t high_bytes[BLOCK + 1];
/* By a byte of high bits: how many zeros stand before each one in it. */
static uint8_t zeros_before[256][8];
/* By the bits of a field: the bytes that hold each of the first (and the second) four fields, and where in them. */
static Bytes picked[FIELD_BITS + 1][2];
static Words shifts[FIELD_BITS + 1][2];
/* The same for sixteen fields. */
static uint8_t picked16[FIELD_BITS + 1][64] ALIGNED;
static uint32_t shifts16[FIELD_BITS + 1][16] ALIGNED;
static uint8_t in_order[64] ALIGNED; /* 0, 1, 2 ... */

static void fill_tables(void) {
    for (int count = 0; count <= BLOCK; count++) {
        int best = BLOCK;
        low_bits[count] = 0, high_bytes[count] = BLOCK / 8;
        for (int low = 1; low <= BLOCK_BITS; low++) {
            int bytes = (count + (BLOCK >> low) + 7) / 8, bits = 8 * bytes + count * low;
            if (bits < best) best = bits, low_bits[count] = (uint8_t)low, high_bytes[count] = (uint16_t)bytes;
        }
    }
    for (int byte = 0; byte < 256; byte++)
        for (int bit = 0, ones = 0; bit < 8; bit++)
            if (byte >> bit & 1) zeros_before[byte][ones] = (uint8_t)(bit - ones), ones++;
    for (int bits = 0; bits <= FIELD_BITS; bits++)
        for (int i = 0; i < 8; i++) {
            int half = i >> 2, bit = i * bits - 8 * (half * bits >> 1);
            for (int j = 0; j < 4; j++) picked[bits][half][4 * (i & 3) + j] = (uint8_t)((bit >> 3) + j);
            shifts[bits][half][i & 3] = (uint32_t)(bit & 7);
        }
    for (int bits = 0; bits <= FIELD_BITS; bits++)
        for (int i = 0; i < 64; i++) {
            picked16[bits][i] = (uint8_t)((i >> 2) * bits / 8 + (i & 3));
            shifts16[bits][i >> 2] = (uint32_t)((i >> 2) * bits & 7);
            in_order[i] = (uint8_t)i;
        }
}

INLINE uint64_t load(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    return word;
}

INLINE int field_bits(const List *list) {
    return low_bits[list->count] + (list->maximum > 1 ? 32 - __builtin_clz(list->maximum - 1u) : 0);
}

INLINE int64_t list_bytes(const List *list) {
    return high_bytes[list->count] + (((int64_t)list->count * field_bits(list) + 7) >> 3);
}

/* Lists lie far apart: fetch the start of one while another is being read, the hardware goes on from there. */
INLINE void prefetch(const Index *index, const List *list) {
    for (int64_t at = 0; at < PREFETCHED && list->count; at += 64) __builtin_prefetch(index->data + list->offset + at);
}

/* The zeros before each one of the high bits: the upper parts of the ids (of a bitmap: the ids less their ranks). */
INLINE int read_highs(const uint8_t *bytes, const uint8_t *end, int count, uint16_t *highs) {
    int found = 0, zeros = 0;
    for (; bytes < end; bytes++) {
        uint8_t before[8]; /* a copy, for the compiler to see that nothing below writes to it */
        memcpy(before, zeros_before[*bytes], 8);
        int ones = __builtin_popcount(*bytes);
        if (found + ones > count) return DAMAGED;
        for (int i = 0; i < 8; i++) highs[found + i] = (uint16_t)(zeros + before[i]);
        found += ones, zeros += 8 - ones;
    }
    return found == count ? OK : DAMAGED;
}

/* The first or the second four of the eight fields at `bytes`, with what follows them still above. */
INLINE Words read_fields(const uint8_t *bytes, int bits, int half) {
    Words words;
#ifdef __clang__
    for (int i = 0; i < 4; i++) {
        int bit = (4 * half + i) * bits;
        words[i] = (uint32_t)(load(bytes + (bit >> 3)) >> (bit & 7));
    }
#else
    Bytes raw;
    memcpy(&raw, bytes + (half * bits >> 1), 16);
    words = (Words)__builtin_shuffle(raw, picked[bits][half]) >> shifts[bits][half];
#endif
    return words;
}

/* The ids of a list and what each adds, into `scratch`; every id is below BLOCK whatever the bytes are. */
WIDE static int decode_any(const Index *index, const List *list, int32_t weight, Scratch *scratch) {
    const uint8_t *bytes = index->data + list->offset, *packed = bytes + high_bytes[list->count];
    const int count = list->count, low = low_bits[count], bits = field_bits(list);
    const uint32_t low_mask = (1u << low) - 1, mask = (1u << bits) - 1;
    const uint32_t ranked = low ? 0 : ~0u; /* a bitmap counts the ones before it too */
    if (read_highs(bytes, packed, count, scratch->highs)) return DAMAGED;
    Words ranks = {0, 1, 2, 3};
    for (int start = 0; start < count; start += 8, packed += bits) {
#pragma GCC unroll 2
        for (int half = 0; half < 2; half++, ranks += 4) {
            Halves highs;
            memcpy(&highs, scratch->highs + start + 4 * half, sizeof highs);
            Words fields = read_fields(packed, bits, half) & mask;
            Words tops = __builtin_convertvector(highs, Words) + (ranks & ranked);
            Words ids = (tops << low | (fields & low_mask)) & (BLOCK - 1);
            Words products = ((fields >> low) + 1) * (uint32_t)weight;
            memcpy(scratch->ids + start + 4 * half, &ids, sizeof ids);
            memcpy(scratch->products + start + 4 * half, &products, sizeof products);
        }
    }
    return OK;
}

/* The documents with a score of at least `least`, into ids and products; all scores become 0. */
WIDE static int take_any(int32_t least, Scratch *scratch) {
    int32_t *scores = scratch->scores;
    int found = 0;
    for (int start = 0; start < BLOCK; start += GROUP) {
        int any = 0;
        for (int i = start; i < start + GROUP; i++) any |= scores[i] >= least;
        for (int i = start; any && i < start + GROUP; i++) {
            scratch->ids[found] = (uint32_t)i, scratch->products[found] = scores[i];
            found += scores[i] >= least;
        }
    }
    memset(scores, 0, sizeof scratch->scores);
    return found;
}

#ifdef __x86_64__
/* The same two, sixteen documents at a time. */
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vbmi,avx512vbmi2,popcnt")))
AVX512 static int decode_avx512(const Index *index, const List *list, int32_t weight, Scratch *scratch) {
    const uint8_t *bytes = index->data + list->offset, *packed = bytes + high_bytes[list->count];
    const int count = list->count, low = low_bits[count], bits = field_bits(list);
    const __m512i iota = _mm512_load_si512(in_order);
    int found = 0, zeros = 0;
    for (; bytes < packed; bytes += 8) {
        uint64_t word = load(bytes);
        if (packed - bytes < 8) word &= (1ull << 8 * (packed - bytes)) - 1;
        int ones = __builtin_popcountll(word);
        if (found + ones > count) return DAMAGED;
        const __m512i base = _mm512_set1_epi16((short)zeros);
        __m512i before = _mm512_sub_epi8(_mm512_maskz_compress_epi8(word, iota), iota);
        __m512i first = _mm512_cvtepu8_epi16(_mm512_castsi512_si256(before));
        __m512i second = _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(before, 1));
        _mm512_storeu_si512(scratch->highs + found, _mm512_add_epi16(base, first));
        _mm512_storeu_si512(scratch->highs + found + 32, _mm512_add_epi16(base, second));
        found += ones, zeros += 64 - ones;
    }
    if (found != count) return DAMAGED;
    const __m512i pick = _mm512_load_si512(picked16[bits]), shift = _mm512_load_si512(shifts16[bits]);
    const __m512i mask = _mm512_set1_epi32((1 << bits) - 1), low_mask = _mm512_set1_epi32((1 << low) - 1);
    const __m512i one = _mm512_set1_epi32(1), weights = _mm512_set1_epi32(weight), most = _mm512_set1_epi32(BLOCK - 1);
    const __m128i cut = _mm_cvtsi32_si128(low);
    __m512i ranks = low ? _mm512_setzero_si512() : _mm512_cvtepu8_epi32(_mm512_castsi512_si128(iota));
    const __m512i step = _mm512_set1_epi32(low ? 0 : 16);
    for (int start = 0; start < count; start += 16, packed += 2 * bits, ranks = _mm512_add_epi32(ranks, step)) {
        __m512i fields = _mm512_permutexvar_epi8(pick, _mm512_loadu_si512(packed));
        fields = _mm512_and_si512(_mm512_srlv_epi32(fields, shift), mask);
        __m512i highs = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(scratch->highs + start)));
        __m512i tops = _mm512_add_epi32(highs, ranks);
        __m512i ids = _mm512_or_si512(_mm512_sll_epi32(tops, cut), _mm512_and_si512(fields, low_mask));
        _mm512_storeu_si512(scratch->ids + start, _mm512_and_si512(ids, most));
        __m512i impacts = _mm512_add_epi32(_mm512_srl_epi32(fields, cut), one);
        _mm512_storeu_si512(scratch->products + start, _mm512_mullo_epi32(impacts, weights));
    }
    return OK;
}

AVX512 static int take_avx512(int32_t least, Scratch *scratch) {
    const __m512i bound = _mm512_set1_epi32(least);
    const __m512i iota = _mm512_cvtepu8_epi32(_mm_load_si128((const __m128i *)in_order));
    int found = 0;
    for (int start = 0; start < BLOCK; start += 16) {
        __m512i scores = _mm512_loadu_si512(scratch->scores + start);
        __mmask16 kept = _mm512_cmpge_epi32_mask(scores, bound);
        _mm512_storeu_si512(scratch->scores + start, _mm512_setzero_si512());
        if (!kept) continue;
        __m512i ids = _mm512_add_epi32(iota, _mm512_set1_epi32(start));
        _mm512_storeu_si512(scratch->ids + found, _mm512_maskz_compress_epi32(kept, ids));
        _mm512_storeu_si512(scratch->products + found, _mm512_maskz_compress_epi32(kept, scores));
        found += __builtin_popcount(kept);
    }
    return found;
}
#endif

static int (*take)(int32_t, Scratch *) = take_any;
static int (*decode)(const Index *, const List *, int32_t, Scratch *) = decode_any;

INLINE int add_list(const Index *index, const List *list, int32_t weight, Scratch *scratch) {
    if (decode(index, list, weight, scratch)) return DAMAGED;
    for (int i = 0; i < list->count; i++) scratch->scores[scratch->ids[i]] += scratch->products[i];
    return OK;
}

/* The impact of one document in a list, 0 if it is not there. */
INLINE int32_t look_up(const Index *index, const List *list, int id) {
    const uint8_t *bytes = index->data + list->offset, *fields = bytes + high_bytes[list->count];
    const int low = low_bits[list->count], end = 8 * high_bytes[list->count], bits = field_bits(list);
    const uint32_t low_mask = (1u << low) - 1;
    int at = 0, rank = 0; /* the bit where the id's group starts, the number of ones before it */
    if (low == 0) {
        at = id;
        for (int i = 0; i < id >> 6; i++) rank += __builtin_popcountll(load(bytes + 8 * i));
        rank += __builtin_popcountll(load(bytes + (id >> 6 << 3)) & ((1ull << (id & 63)) - 1));
    } else if (id >> low) { /* past the zero that closes the group before it */
        int zeros = id >> low;
        uint64_t word = ~load(bytes);
        for (int here; (here = __builtin_popcountll(word)) < zeros; word = ~load(bytes + (at >> 3))) {
            zeros -= here, at += 64;
            if (at >= end) return 0;
        }
        while (--zeros) word &= word - 1;
        at += __builtin_ctzll(word) + 1;
        rank = at - (id >> low);
    }
    for (; at < end && bytes[at >> 3] >> (at & 7) & 1 && rank < list->count; at++, rank++) {
        int64_t bit = (int64_t)rank * bits;
        uint32_t field = (uint32_t)(load(fields + (bit >> 3)) >> (bit & 7)) & ((1u << bits) - 1);
        if ((field & low_mask) == ((uint32_t)id & low_mask)) return (int32_t)(field >> low) + 1;
    }
    return 0;
}

/* The k best so far: a heap with the worst on top. */

typedef struct {
    int64_t row;
    int32_t score;
} Hit;

typedef struct {
    Hit *hits;
    int64_t count, k;
} Best;

INLINE int is_worse(Hit a, Hit b) { return a.score < b.score || (a.score == b.score && a.row > b.row); }

static void sift_down(Hit *hits, int64_t count, int64_t at) {
    const Hit moved = hits[at];
    for (int64_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && is_worse(hits[child + 1], hits[child])) child++;
        if (!is_worse(hits[child], moved)) break;
        hits[at] = hits[child];
    }
    hits[at] = moved;
}

static void offer(Best *best, Hit hit) {
    if (best->count < best->k) {
        best->hits[best->count++] = hit;
        if (best->count == best->k)
            for (int64_t i = best->k / 2; i--;) sift_down(best->hits, best->k, i);
    } else if (is_worse(best->hits[0], hit)) {
        best->hits[0] = hit;
        sift_down(best->hits, best->k, 0);
    }
}

INLINE int32_t threshold(const Best *best) { return best->count == best->k ? best->hits[0].score : NONE; }

static int better_first(const void *a, const void *b) { return is_worse(*(const Hit *)a, *(const Hit *)b) ? 1 : -1; }

/* Rows: those of a block ascend; their upper bits are kept as the place where each page of 2^16 rows starts. */

INLINE int block_length(const Index *index, int64_t block) {
    int64_t left = index->documents - block * BLOCK;
    return left < BLOCK ? (int)left : BLOCK;
}

static int64_t row_of(const Index *index, int64_t block, int id) {
    const uint16_t *starts = index->pages + block * index->page_count;
    int64_t low = 0, high = index->page_count;
    while (high - low > 1) {
        int64_t middle = (low + high) / 2;
        if (starts[middle] <= id) low = middle;
        else high = middle;
    }
    int64_t row = low << PAGE_BITS | index->rows[block * BLOCK + id];
    return row < index->documents ? row : DAMAGED;
}

/* Which documents of the block are marked, and whether any is. */
INLINE int marks_of(const Index *index, int64_t block, const uint8_t *restrict marked, uint8_t *restrict marks) {
    const uint16_t *starts = index->pages + block * index->page_count, *rows = index->rows + block * BLOCK;
    int length = block_length(index, block), found = 0, id = 0;
    for (int64_t page = 0; page < index->page_count; page++) {
        int end = page + 1 < index->page_count && starts[page + 1] < length ? starts[page + 1] : length;
        int64_t base = page << PAGE_BITS, last = index->documents - 1 - base;
        for (; id < end; id++) marks[id] = rows[id] <= last ? marked[base + rows[id]] : 0;
    }
    for (id = 0; id < length; id++) found |= marks[id];
    return found;
}

/* The lists of a query, block by block, and the blocks by what they can give at most. */

typedef struct {
    int64_t bound, block;
} Bound;

static int higher_first(const void *a, const void *b) {
    const Bound *x = a, *y = b;
    return x->bound != y->bound ? (x->bound < y->bound ? 1 : -1) : (x->block > y->block) - (x->block < y->block);
}

static int lay_out(const Index *index, const Query *query, List *lists, Bound *bounds) {
    for (int64_t block = 0; block < index->block_count; block++) bounds[block] = (Bound){0, block};
    for (int64_t term = 0; term < query->count; term++) {
        int64_t offset = query->offset[term];
        if (query->first[term] < 0 || query->last[term] > index->entries) return DAMAGED;
        if (offset < 0 || offset > index->size) return DAMAGED;
        for (int64_t entry = query->first[term]; entry < query->last[term]; entry++) {
            List list = {offset, index->counts[entry], index->maxima[entry]};
            int64_t block = index->blocks[entry];
            if (block >= index->block_count || list.count == 0 || list.count > BLOCK) return DAMAGED;
            offset += list_bytes(&list);
            if (offset + PADDING > index->size) return DAMAGED;
            lists[block * query->count + term] = list;
            if (term < query->positive) bounds[block].bound += (int64_t)query->weights[term] * list.maximum;
        }
    }
    return OK;
}

INLINE int64_t count_from(const int32_t *scores, int32_t least) {
    int32_t count = 0;
    for (int i = 0; i < BLOCK; i++) count += scores[i] >= least;
    return count;
}

/* One block: add up lists until those that are left could not bring in a document alone, then look those up. */
INLINE int visit(const Index *index, const Query *query, const List *lists, const List *next, int64_t rest,
                 int64_t block, const uint8_t *allowed, const uint8_t *marks, Scratch *scratch, Best *best) {
    const int32_t floor = threshold(best);
    const int length = block_length(index, block);
    int32_t *scores = scratch->scores;
    int64_t term = 0, left = 0, lists_left = 0;
    for (int64_t t = 0; t < query->positive; t++) left += lists[t].count, lists_left += lists[t].count > 0;
    for (; term < query->positive; term++) {
        prefetch(index, next + term);
        if (!lists[term].count) continue;
        if (rest < floor * PRUNED_SHARE && left > PRUNED_POSTINGS &&
            count_from(scores, (int32_t)(floor - rest)) * lists_left * LOOK_UP_COST < left) break;
        if (add_list(index, lists + term, query->weights[term], scratch)) return DAMAGED;
        rest -= (int64_t)query->weights[term] * lists[term].maximum;
        left -= lists[term].count, lists_left--;
    }
    int32_t least = floor > 0 ? (int32_t)(floor - rest) : 1;
    if (floor <= 0 && query->positive < query->count) { /* negative scores may be answers: tell them from no match */
        for (int i = 0; i < BLOCK; i++) scores[i] = scores[i] > 0 ? scores[i] : UNTOUCHED;
        for (term = query->positive; term < query->count; term++)
            if (lists[term].count && add_list(index, lists + term, query->weights[term], scratch)) return DAMAGED;
        least = floor > UNTOUCHED ? floor : UNTOUCHED + 1;
    }
    if (marks)
        for (int i = 0; i < length; i++) scores[i] = marks[i] ? scores[i] : NONE;
    const int found = take(least, scratch);
    for (int i = 0; i < found; i++) {
        const int id = (int)scratch->ids[i];
        int64_t score = scratch->products[i], bound = rest;
        for (int64_t t = term; t < query->count && score + bound >= threshold(best); t++) {
            if (!lists[t].count) continue;
            if (t < query->positive) bound -= (int64_t)query->weights[t] * lists[t].maximum;
            score += (int64_t)query->weights[t] * look_up(index, lists + t, id);
        }
        if (score < threshold(best)) continue;
        int64_t row = id < length ? row_of(index, block, id) : DAMAGED;
        if (row == DAMAGED) return DAMAGED;
        if (!allowed || allowed[row]) offer(best, (Hit){row, (int32_t)score});
    }
    return OK;
}

WIDE static int search_blocks(const Index *index, const Query *query, const uint8_t *allowed, int selective,
                              List *lists, Bound *bounds, Best *best) {
    Scratch scratch;
    uint8_t marks[BLOCK];
    memset(scratch.scores, 0, sizeof scratch.scores);
    if (lay_out(index, query, lists, bounds)) return DAMAGED;
    qsort(bounds, (size_t)index->block_count, sizeof *bounds, higher_first);
    const Bound *last = bounds + index->block_count - 1;
    for (const Bound *at = bounds; at <= last; at++) {
        if (at->bound <= 0 || at->bound < threshold(best)) break;
        const List *own = lists + at->block * query->count;
        const List *next = at < last ? lists + at[1].block * query->count : own;
        if (selective && !marks_of(index, at->block, allowed, marks)) continue;
        if (visit(index, query, own, next, at->bound, at->block, allowed, selective ? marks : NULL, &scratch, best))
            return DAMAGED;
    }
    qsort(best->hits, (size_t)best->count, sizeof *best->hits, better_first);
    return OK;
}

/* What each term gives each of the wanted rows, which ascend: `out` is (terms, rows). */
WIDE static int fill_parts(const Index *index, const Query *query, const uint8_t *marked, const int64_t *wanted,
                           int64_t wanted_count, List *lists, Bound *bounds, int32_t *out) {
    Scratch scratch;
    uint8_t marks[BLOCK];
    memset(scratch.scores, 0, sizeof scratch.scores);
    if (lay_out(index, query, lists, bounds)) return DAMAGED;
    for (int64_t block = 0; block < index->block_count; block++) {
        if (!marks_of(index, block, marked, marks)) continue;
        for (int64_t term = 0; term < query->count; term++) {
            const List *list = lists + block * query->count + term;
            if (!list->count) continue;
            if (add_list(index, list, query->weights[term], &scratch)) return DAMAGED;
            for (int id = 0; id < block_length(index, block); id++) {
                if (!marks[id] || !scratch.scores[id]) continue;
                int64_t row = row_of(index, block, id), low = 0, high = wanted_count;
                while (low < high) {
                    int64_t middle = (low + high) / 2;
                    if (wanted[middle] < row) low = middle + 1;
                    else high = middle;
                }
                if (low < wanted_count && wanted[low] == row) out[term * wanted_count + low] = scratch.scores[id];
            }
            memset(scratch.scores, 0, sizeof scratch.scores);
        }
    }
    return OK;
}

/* Python's side. Both functions take the index as five buffers, the query as four, then their own arguments. */

enum { BLOCKS, COUNTS, MAXIMA, DATA, ROWS, PAGES, FIRST, LAST, OFFSET, WEIGHTS, SHARED };

typedef struct {
    Py_buffer views[SHARED + 3];
    Index index;
    Query query;
    List *lists;
    Bound *bounds;
} Call;

static void close_call(Call *call) {
    for (int i = 0; i < SHARED + 3; i++)
        if (call->views[i].obj) PyBuffer_Release(call->views + i);
    free(call->lists), free(call->bounds);
}

static int open_call(Call *call, PyObject **objects, int count, int first_writable) {
    for (int i = 0; i < count; i++) {
        if (objects[i] == Py_None) continue;
        if (PyObject_GetBuffer(objects[i], call->views + i, i < first_writable ? PyBUF_SIMPLE : PyBUF_WRITABLE))
            return -1;
    }
    const Py_buffer *views = call->views;
    Index *index = &call->index;
    *index = (Index){views[BLOCKS].buf, views[COUNTS].buf, views[MAXIMA].buf, views[DATA].buf, views[ROWS].buf,
                     views[PAGES].buf, views[MAXIMA].len, views[DATA].len, views[ROWS].len / 2, 0, 0};
    index->block_count = (index->documents + BLOCK - 1) >> BLOCK_BITS;
    index->page_count = (index->documents + (1 << PAGE_BITS) - 1) >> PAGE_BITS;
    Query *query = &call->query;
    *query = (Query){views[FIRST].buf, views[LAST].buf, views[OFFSET].buf, views[WEIGHTS].buf,
                     views[WEIGHTS].len / 4, 0};
    while (query->positive < query->count && query->weights[query->positive] > 0) query->positive++;
    int64_t sum = 0;
    for (int64_t i = 0; i < query->count; i++) sum += llabs((long long)query->weights[i]);
    if (views[BLOCKS].len != 2 * index->entries || views[COUNTS].len != 2 * index->entries ||
        views[PAGES].len != 2 * index->block_count * index->page_count || views[FIRST].len != 8 * query->count ||
        views[LAST].len != 8 * query->count || views[OFFSET].len != 8 * query->count || sum > (1 << 30) / 255) {
        PyErr_SetString(PyExc_ValueError, "the arrays do not fit together");
        return -1;
    }
    call->lists = calloc((size_t)(index->block_count * query->count) + 1, sizeof *call->lists);
    call->bounds = malloc(((size_t)index->block_count + 1) * sizeof *call->bounds);
    if (call->lists && call->bounds) return 0;
    PyErr_NoMemory();
    return -1;
}

static PyObject *finish(Call *call, int status, int64_t count) {
    close_call(call);
    if (status == DAMAGED) return PyErr_SetString(PyExc_ValueError, "the posting lists are damaged"), NULL;
    if (status == NO_MEMORY) return PyErr_NoMemory();
    return PyLong_FromLongLong(count);
}

PyDoc_STRVAR(search_doc,
    "search(blocks, counts, maxima, data, rows, pages, first, last, offset, weights, allowed, rows_out, scores_out,\n"
    "selective) -> number of hits, written best first to rows_out (k, int64) and scores_out (k, int32).\n"
    "Terms of positive weight come first; allowed is (documents,) bool or None.");

static PyObject *search(PyObject *self, PyObject *arguments) {
    (void)self;
    Call call = {0};
    PyObject *o[SHARED + 3];
    int selective, status = NO_MEMORY;
    if (!PyArg_ParseTuple(arguments, "OOOOOOOOOOOOOp", o, o + 1, o + 2, o + 3, o + 4, o + 5, o + 6, o + 7, o + 8, o + 9,
                          o + 10, o + 11, o + 12, &selective)) return NULL;
    if (open_call(&call, o, SHARED + 3, SHARED + 1)) return close_call(&call), NULL;
    const Py_buffer *allowed = call.views + SHARED, *rows = allowed + 1, *scores = allowed + 2;
    Best best = {NULL, 0, rows->len / 8};
    if (best.k < 1 || scores->len != 4 * best.k || (allowed->obj && allowed->len != call.index.documents)) {
        close_call(&call);
        return PyErr_SetString(PyExc_ValueError, "allowed, rows_out and scores_out do not fit"), NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    if ((best.hits = malloc((size_t)best.k * sizeof *best.hits)))
        status = search_blocks(&call.index, &call.query, allowed->buf, selective && allowed->obj, call.lists,
                               call.bounds, &best);
    for (int64_t i = 0; status == OK && i < best.count; i++)
        ((int64_t *)rows->buf)[i] = best.hits[i].row, ((int32_t *)scores->buf)[i] = best.hits[i].score;
    free(best.hits);
    Py_END_ALLOW_THREADS
    return finish(&call, status, best.count);
}

PyDoc_STRVAR(parts_doc,
    "parts(blocks, counts, maxima, data, rows, pages, first, last, offset, weights, marked, wanted, out):\n"
    "fill out (terms, wanted), int32 zeros, with what each term gives each wanted row; wanted is int64, ascending,\n"
    "and marked (documents,) is true at the wanted rows.");

static PyObject *parts(PyObject *self, PyObject *arguments) {
    (void)self;
    Call call = {0};
    PyObject *o[SHARED + 3];
    if (!PyArg_ParseTuple(arguments, "OOOOOOOOOOOOO", o, o + 1, o + 2, o + 3, o + 4, o + 5, o + 6, o + 7, o + 8, o + 9,
                          o + 10, o + 11, o + 12)) return NULL;
    if (open_call(&call, o, SHARED + 3, SHARED + 2)) return close_call(&call), NULL;
    const Py_buffer *marked = call.views + SHARED, *wanted = marked + 1, *out = marked + 2;
    int status = OK;
    int64_t count = wanted->len / 8;
    if (marked->len != call.index.documents || out->len != 4 * count * call.query.count) {
        close_call(&call);
        return PyErr_SetString(PyExc_ValueError, "marked, wanted and out do not fit"), NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    status = fill_parts(&call.index, &call.query, marked->buf, wanted->buf, count, call.lists, call.bounds,
                        out->buf);
    Py_END_ALLOW_THREADS
    return finish(&call, status, count);
}

static PyMethodDef methods[] = {
    {"search", search, METH_VARARGS, search_doc}, {"parts", parts, METH_VARARGS, parts_doc}, {NULL, NULL, 0, NULL}};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_posting_kernel", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__posting_kernel(void) {
    fill_tables();
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi") &&
        __builtin_cpu_supports("avx512vbmi2"))
        decode = decode_avx512, take = take_avx512;
#endif
    return PyModule_Create(&module);
}
