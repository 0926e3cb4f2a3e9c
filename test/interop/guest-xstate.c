/*
 * For the guest machine on processors with AMX, loaded before its kernel (LD_PRELOAD).
 *
 * User-mode Linux 6.1 keeps 2,696 octets of a process's extended state (XSAVE), which is all there was before AMX. A host kernel
 * takes nothing but a whole one, 11,008 octets with AMX: "ptrace set fp regs failed, errno = 14", and the guest's init is killed.
 * Here the part that it brings is laid over what the process has, and the whole is set.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Larger than any processor's state so far. */
enum { LARGEST = 32768 };

static long set_whole_state(pid_t process, const struct iovec *part)
{
	/* The guest has one processor and one thread that traces. */
	static unsigned char state[LARGEST] __attribute__((aligned(64)));
	struct iovec whole = { state, sizeof state };

	if (syscall(SYS_ptrace, PTRACE_GETREGSET, process, NT_X86_XSTATE, &whole) < 0)
		return -1;
	memcpy(state, part->iov_base, part->iov_len < whole.iov_len ? part->iov_len : whole.iov_len);
	return syscall(SYS_ptrace, PTRACE_SETREGSET, process, NT_X86_XSTATE, &whole);
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list arguments;
	va_start(arguments, request);
	pid_t process = va_arg(arguments, pid_t);
	void *address = va_arg(arguments, void *);
	void *data = va_arg(arguments, void *);
	va_end(arguments);

	/* As glibc does: the kernel stores the word that it peeks at, the function returns it. */
	long word = 0;
	int peeks = request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER;
	long result = syscall(SYS_ptrace, request, process, address, peeks ? &word : data);
	if (result < 0 && errno == EFAULT && request == PTRACE_SETREGSET && (long)address == NT_X86_XSTATE)
		return set_whole_state(process, data);
	if (result < 0 || !peeks)
		return result;
	errno = 0;
	return word;
}
