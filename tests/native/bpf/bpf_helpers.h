/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stands in for libbpf's header where programs of bpf/ are compiled natively: the same words, and what helpers they need. */
#ifndef NATIVE_BPF_HELPERS_H
#define NATIVE_BPF_HELPERS_H

#define SEC(name)
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val) *name
#define __array(name, val) typeof(val) *name[]
#define __always_inline inline __attribute__((always_inline))
#define __noinline __attribute__((noinline))
#define __weak __attribute__((unused)) /* there is one object file: a name that is taken shall be told by the linker */

/* tests/native/native.c has these, by names of its own: libbpf may be linked too. Of maps it knows scratch, control and
 * counters; any other is empty. */
#define bpf_map_lookup_elem native_map_lookup
#define bpf_ktime_get_ns native_now
#define bpf_jiffies64 native_now
#define bpf_loop(count, fn, ctx, flags) native_unused_loop(fn)
void *native_map_lookup(const void *map, const void *key);
__u64 native_now(void);
/* Not called by what runs natively: locks are not taken. */
static __always_inline long native_unused_loop(void *fn)
{
	(void)fn;
	return 0;
}

#endif
