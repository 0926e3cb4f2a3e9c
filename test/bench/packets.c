/*
 * Small packets at a given rate, and their count at the other end: a UDP sender and a sink whose own cost stays small.
 *
 *   packets sink PORT                                                  for ever; prints "listening"
 *   packets send ADDRESS PORT OCTETS RATE MILLISECONDS [FIRST COUNT]   prints: sent received seconds
 *
 * With FIRST, the data goes to as many addresses in turn from that one on, all of them the sink's; ADDRESS is where it is asked.
 * A datagram begins with two numbers of 32 bits, its kind and the run that it belongs to. The sink counts the data of one run
 * at a time, and answers a question with the count, in 64 bits behind the two numbers.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { DATA = 1, QUESTION = 2 };
enum { BATCH = 64, BURST = 32, LARGEST = 2048, MEMORY = 16 << 20 };

struct start {
	uint32_t kind, run;
};
struct answer {
	struct start start;
	uint64_t count;
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static void rest(long microseconds)
{
	struct timespec t = {0, microseconds * 1000};
	nanosleep(&t, NULL);
}

static int udp_socket(int option)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), memory = MEMORY;
	if (s < 0)
		fail("socket");
	setsockopt(s, SOL_SOCKET, option, &memory, sizeof memory); /* needs CAP_NET_ADMIN; smaller without */
	return s;
}

static void sink(int port)
{
	static unsigned char data[BATCH][LARGEST];
	static struct sockaddr_in from[BATCH];
	static struct iovec parts[BATCH];
	static struct mmsghdr messages[BATCH];
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct answer answer = {{QUESTION, 0}, 0};
	int s = udp_socket(SO_RCVBUFFORCE);

	if (bind(s, (struct sockaddr *)&own, sizeof own) < 0)
		fail("bind");
	puts("listening");
	fflush(stdout);
	for (int i = 0; i < BATCH; i++) {
		parts[i] = (struct iovec){data[i], LARGEST};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1, .msg_name = &from[i]};
	}
	for (;;) {
		for (int i = 0; i < BATCH; i++)
			messages[i].msg_hdr.msg_namelen = sizeof from[i];
		int n = recvmmsg(s, messages, BATCH, MSG_WAITFORONE, NULL);
		if (n < 0 && errno != EINTR)
			fail("recvmmsg");
		for (int i = 0; i < n; i++) {
			struct start start;
			if (messages[i].msg_len < sizeof start)
				continue;
			memcpy(&start, data[i], sizeof start);
			if (start.run != answer.start.run) {
				answer.start.run = start.run;
				answer.count = 0;
			}
			if (start.kind == DATA)
				answer.count++;
			else
				sendto(s, &answer, sizeof answer, 0, (struct sockaddr *)&from[i], sizeof from[i]);
		}
	}
}

/* Asks until two answers agree: by then nothing of the run is on its way any more. */
static uint64_t received(int s, uint32_t run)
{
	struct timeval patience = {0, 200000};
	struct start question = {QUESTION, run};
	struct answer answer;
	uint64_t last = UINT64_MAX;

	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	for (int attempt = 0; attempt < 25; attempt++) {
		rest(40000);
		send(s, &question, sizeof question, 0);
		if (recv(s, &answer, sizeof answer, 0) != sizeof answer || answer.start.run != run)
			continue;
		if (answer.count == last)
			return last;
		last = answer.count;
	}
	fprintf(stderr, "the sink does not answer\n");
	exit(1);
}

static void run_sender(const char *address, int port, size_t octets, double rate, double length, const char *first,
		       uint32_t addresses)
{
	static unsigned char data[LARGEST];
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in spread[BURST];
	struct in_addr from_here = {0};
	uint32_t next = 0;
	struct start start = {DATA, (uint32_t)getpid() ^ (uint32_t)(seconds() * 1e6)};
	struct iovec part = {data, octets};
	struct mmsghdr messages[BURST];
	int s = udp_socket(SO_SNDBUFFORCE);

	if (octets < sizeof(struct answer) || octets > LARGEST || inet_pton(AF_INET, address, &to.sin_addr) != 1)
		fail("arguments");
	if (connect(s, (struct sockaddr *)&to, sizeof to) < 0)
		fail("connect");
	if (first && inet_pton(AF_INET, first, &from_here) != 1)
		fail("arguments");
	prctl(PR_SET_TIMERSLACK, 1);
	memset(data, 0x5a, sizeof data);
	memcpy(data, &start, sizeof start);
	for (int i = 0; i < BURST; i++) {
		memset(&messages[i], 0, sizeof messages[i]);
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &part, .msg_iovlen = 1};
		if (first) {
			spread[i] = to;
			messages[i].msg_hdr.msg_name = &spread[i];
			messages[i].msg_hdr.msg_namelen = sizeof spread[i];
		}
	}
	uint64_t sent = 0;
	double begun = seconds(), origin = begun, elapsed;
	double due = 0; /* packets that should have left since the start, less what was forgiven */
	while ((elapsed = seconds() - begun) < length) {
		due = (begun + elapsed - origin) * rate;
		double behind = due - sent;
		if (behind < 1) {
			rest(20);
			continue;
		}
		/* A sender that had no CPU for a while goes on at its rate: to catch up would be a burst that nobody asked for. */
		if (behind > rate * 0.002 + BURST) {
			origin += (behind - BURST) / rate;
			behind = BURST;
		}
		unsigned wanted = behind > BURST ? BURST : (unsigned)behind;
		for (unsigned i = 0; first && i < wanted; i++)
			spread[i].sin_addr.s_addr = htonl(ntohl(from_here.s_addr) + (next + i) % addresses);
		int n = sendmmsg(s, messages, wanted, 0);
		if (n > 0) {
			sent += n;
			next = (next + n) % addresses;
		} else
			rest(20);
	}
	printf("%lu %lu %.6f\n", (unsigned long)sent, (unsigned long)received(s, start.run), elapsed);
}

int main(int count, char **argument)
{
	if (count == 3 && strcmp(argument[1], "sink") == 0)
		sink(atoi(argument[2]));
	else if ((count == 7 || (count == 9 && atoi(argument[8]) > 0)) && strcmp(argument[1], "send") == 0)
		run_sender(argument[2], atoi(argument[3]), strtoul(argument[4], NULL, 10), atof(argument[5]),
			   atof(argument[6]) / 1000, count == 9 ? argument[7] : NULL, count == 9 ? atoi(argument[8]) : 1);
	else {
		fprintf(stderr, "usage: packets sink PORT | packets send ADDRESS PORT OCTETS RATE MILLISECONDS [FIRST COUNT]\n");
		return 2;
	}
	return 0;
}
