/*
 * Small packets at a given rate, and their count at the other end: a UDP sender and a sink whose own cost stays small.
 *
 *   packets sink PORT [merged]                                         for ever; prints "listening"
 *   packets send ADDRESS PORT OCTETS RATE MILLISECONDS [FIRST COUNT]   prints: sent received seconds
 *   packets trains ADDRESS PORT OCTETS RATE MILLISECONDS               likewise, TRAIN at a time, cut by the kernel (UDP_SEGMENT)
 *
 * With FIRST, the data goes to as many addresses in turn from that one on, all of them the sink's; ADDRESS is where it is asked.
 * A sink that takes datagrams merged is given those that came together at once (UDP_GRO).
 * A datagram begins with two numbers of 32 bits, its kind and the run that it belongs to. The sink counts the data of one run
 * at a time, and answers a question with the count, in 64 bits behind the two numbers.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { DATA = 1, QUESTION = 2 };
enum { BATCH = 64, BURST = 32, TRAIN = 16, LARGEST = 2048, MERGED = 65536, MEMORY = 16 << 20 };

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

/* How long each datagram of a message is, which may be several. */
static unsigned segment_of(struct msghdr *message, unsigned length)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		int segment;
		if (c->cmsg_level != SOL_UDP || c->cmsg_type != UDP_GRO)
			continue;
		memcpy(&segment, CMSG_DATA(c), sizeof segment);
		if (segment > 0)
			return segment;
	}
	return length;
}

static void sink(int port, int merged)
{
	static unsigned char data[BATCH][MERGED], control[BATCH][CMSG_SPACE(sizeof(int))];
	static struct sockaddr_in from[BATCH];
	static struct iovec parts[BATCH];
	static struct mmsghdr messages[BATCH];
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct answer answer = {{QUESTION, 0}, 0};
	int s = udp_socket(SO_RCVBUFFORCE);

	if (setsockopt(s, SOL_UDP, UDP_GRO, &merged, sizeof merged) < 0)
		fail("UDP_GRO");
	if (bind(s, (struct sockaddr *)&own, sizeof own) < 0)
		fail("bind");
	puts("listening");
	fflush(stdout);
	for (int i = 0; i < BATCH; i++) {
		parts[i] = (struct iovec){data[i], MERGED};
		messages[i].msg_hdr = (struct msghdr){
		    .msg_iov = &parts[i], .msg_iovlen = 1, .msg_name = &from[i], .msg_control = control[i]};
	}
	for (;;) {
		for (int i = 0; i < BATCH; i++) {
			messages[i].msg_hdr.msg_namelen = sizeof from[i];
			messages[i].msg_hdr.msg_controllen = sizeof control[i];
		}
		int n = recvmmsg(s, messages, BATCH, MSG_WAITFORONE, NULL);
		if (n < 0 && errno != EINTR)
			fail("recvmmsg");
		for (int i = 0; i < n; i++) {
			unsigned length = messages[i].msg_len, segment = segment_of(&messages[i].msg_hdr, length);
			for (unsigned at = 0; at + sizeof(struct start) <= length; at += segment) {
				struct start start;
				memcpy(&start, data[i] + at, sizeof start);
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

/* `train`: datagrams of one message, which the kernel cuts. */
static void run_sender(const char *address, int port, size_t octets, double rate, double length, unsigned train,
		       const char *first, uint32_t addresses)
{
	static unsigned char data[TRAIN * LARGEST];
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in spread[BURST];
	struct in_addr from_here = {0};
	uint32_t next = 0;
	struct start start = {DATA, (uint32_t)getpid() ^ (uint32_t)(seconds() * 1e6)};
	struct iovec whole = {data, train * octets}, last = {data, 0};
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
	for (unsigned i = 0; i < train; i++)
		memcpy(data + i * octets, &start, sizeof start);
	int segment = octets;
	if (train > 1 && setsockopt(s, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment) < 0)
		fail("UDP_SEGMENT");
	for (int i = 0; i < BURST; i++) {
		memset(&messages[i], 0, sizeof messages[i]);
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &whole, .msg_iovlen = 1};
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
		if (behind < train) {
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
		unsigned trains = (wanted + train - 1) / train, rest_of = wanted - (trains - 1) * train;
		last.iov_len = rest_of * octets;
		messages[trains - 1].msg_hdr.msg_iov = &last;
		int n = sendmmsg(s, messages, trains, 0);
		messages[trains - 1].msg_hdr.msg_iov = &whole;
		if (n > 0) {
			unsigned left = (unsigned)n == trains ? wanted : n * train;
			sent += left;
			next = (next + left) % addresses;
		} else
			rest(20);
	}
	printf("%lu %lu %.6f\n", (unsigned long)sent, (unsigned long)received(s, start.run), elapsed);
}

int main(int count, char **argument)
{
	if ((count == 3 || (count == 4 && strcmp(argument[3], "merged") == 0)) && strcmp(argument[1], "sink") == 0)
		sink(atoi(argument[2]), count == 4);
	else if ((count == 7 || (count == 9 && atoi(argument[8]) > 0)) && strcmp(argument[1], "send") == 0)
		run_sender(argument[2], atoi(argument[3]), strtoul(argument[4], NULL, 10), atof(argument[5]),
			   atof(argument[6]) / 1000, 1, count == 9 ? argument[7] : NULL, count == 9 ? atoi(argument[8]) : 1);
	else if (count == 7 && strcmp(argument[1], "trains") == 0)
		run_sender(argument[2], atoi(argument[3]), strtoul(argument[4], NULL, 10), atof(argument[5]),
			   atof(argument[6]) / 1000, TRAIN, NULL, 1);
	else {
		fprintf(stderr, "usage: packets sink PORT [merged] | packets send ADDRESS PORT OCTETS RATE MILLISECONDS [FIRST COUNT]"
				" | packets trains ADDRESS PORT OCTETS RATE MILLISECONDS\n");
		return 2;
	}
	return 0;
}
