/* What the compiled loops of the index room have in common. They need GCC or Clang and a little-endian machine; anywhere
   else the build leaves them out. */

#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#if !defined(__GNUC__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the compiled loops need GCC or Clang and a little-endian machine; limner works without them"
#endif

/* A function compiled for newer processors, too; which is taken is decided when it is loaded. */
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__clang__)
#define WIDE __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define WIDE
#endif
#define INLINE static inline __attribute__((always_inline))
