/* No multiply-add is fused in a file that includes this: every operation rounds as plain C says. */
#ifdef __GNUC__
#ifndef __clang__
#pragma GCC optimize("fp-contract=off")
#else
#pragma clang fp contract(off)
#endif
#endif
