/*
 * What a gateway could do on this host: the data path of ours in C and nothing besides. One pair of fixed keys; no IKE, no policies, no limits, no
 * lifetimes; IPv4 alone.
 *
 *   path DEVICE OWN-ADDRESS PEER-ADDRESS OWN-SPI PEER-SPI      prints "ready", and goes on until it is stopped
 *
 * Out: super packets of the TUN device are cut into segments, sealed with AES-256-GCM (RFC 4106), and leave in trains (UDP_SEGMENT), several
 * by one call. In: what the kernel has joined (UDP_GRO) is opened in place, and consecutive segments of a flow are joined again for the device,
 * without a copy: as pieces of one writev().
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "inner-packet.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

enum { PORT = 4500, LARGEST = 65535, MOST_UDP = 65507, MEMORY = 8 << 20 };
enum { TRAINS = 16, TRAIN_SEGMENTS = 64, RECEIVED = 8, ROUND = 32, PIECES = 256 };
enum { ESP = 8, IV = 8, ICV = 16, TRAILER = 2, VNET = sizeof(struct virtio_net_hdr) };
enum { WINDOW = 1024 };

static int tun, udp;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* --- ESP ------------------------------------------------------------------------------------------------------------ */

struct direction {
	EVP_CIPHER_CTX *context;
	uint32_t spi;
	uint8_t nonce[12];
};
static struct direction out, in;
static uint32_t sequence;

static void key(struct direction *one, uint32_t spi)
{
	uint8_t octets[32];
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	memset(octets, spi, sizeof octets); /* the peer has the same, and no other traffic is worth reading */
	memset(one->nonce, spi, 4);
	one->spi = spi;
	one->context = EVP_CIPHER_CTX_new();
	if (!EVP_CipherInit_ex(one->context, cipher, NULL, octets, one->nonce, one == &out))
		fail("AES-256-GCM");
}

static int sealed_length(int length)
{
	return ESP + IV + ((length + TRAILER + 3) & ~3) + ICV;
}

/* Seals the inner packet that stands behind the place of the ESP header and the IV. */
static void seal(uint8_t *esp, int length)
{
	int padded = (length + TRAILER + 3) & ~3, padding = padded - TRAILER - length, done;
	uint8_t *inner = esp + ESP + IV, *end = inner + length;

	for (int i = 1; i <= padding; i++)
		*end++ = i;
	*end++ = padding;
	*end = 4; /* IPv4 */
	sequence++;
	put32(esp, out.spi);
	put32(esp + 4, sequence);
	put32(esp + 8, 0);
	put32(esp + 12, sequence);
	memcpy(out.nonce + 4, esp + ESP, IV);
	EVP_EncryptInit_ex(out.context, NULL, NULL, NULL, out.nonce);
	EVP_EncryptUpdate(out.context, NULL, &done, esp, ESP);
	EVP_EncryptUpdate(out.context, inner, &done, inner, padded);
	EVP_EncryptFinal_ex(out.context, inner, &done);
	EVP_CIPHER_CTX_ctrl(out.context, EVP_CTRL_AEAD_GET_TAG, ICV, inner + padded);
}

/* Whether the number is new (RFC 4303 section 3.4.3). */
static int is_new(uint32_t number)
{
	static uint64_t window[WINDOW / 64];
	static uint32_t top;
	uint64_t bit = 1ull << (number & 63), *word = &window[number / 64 % (WINDOW / 64)];

	if (number > top) {
		if (number - top >= WINDOW)
			memset(window, 0, sizeof window);
		else
			for (uint32_t i = top / 64 + 1; i <= number / 64; i++)
				window[i % (WINDOW / 64)] = 0;
		top = number;
	} else if (top - number >= WINDOW - 64 || *word & bit)
		return 0;
	*word |= bit;
	return 1;
}

/* Opens in place; the length of the inner packet behind ESP header and IV, or -1. */
static int open_esp(uint8_t *esp, int length)
{
	int padded = length - ESP - IV - ICV, done;
	uint8_t *inner = esp + ESP + IV;

	if (padded < 24 || get32(esp) != in.spi)
		return -1;
	memcpy(in.nonce + 4, esp + ESP, IV);
	EVP_DecryptInit_ex(in.context, NULL, NULL, NULL, in.nonce);
	EVP_DecryptUpdate(in.context, NULL, &done, esp, ESP);
	EVP_CIPHER_CTX_ctrl(in.context, EVP_CTRL_AEAD_SET_TAG, ICV, inner + padded);
	EVP_DecryptUpdate(in.context, inner, &done, inner, padded);
	if (EVP_DecryptFinal_ex(in.context, inner, &done) <= 0 || !is_new(get32(esp + 4)))
		return -1;
	return padded - TRAILER - inner[padded - TRAILER];
}

/* --- out: trains of equal packets, of which the last may be shorter --------------------------------------------------- */

struct train {
	int length, segment, count, closed;
};
static struct train trains[TRAINS];
static uint8_t outgoing[TRAINS][LARGEST + 1];
static int current;

static void send_trains(void)
{
	static struct mmsghdr messages[TRAINS];
	static struct iovec parts[TRAINS];
	static union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(uint16_t))];
	} controls[TRAINS];
	int count = current + (trains[current].count > 0), sent = 0;

	for (int i = 0; i < count; i++) {
		uint16_t segment = trains[i].segment;
		parts[i] = (struct iovec){outgoing[i], trains[i].length};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
		if (trains[i].count == 1)
			continue;
		messages[i].msg_hdr.msg_control = &controls[i];
		messages[i].msg_hdr.msg_controllen = sizeof controls[i];
		controls[i].header = (struct cmsghdr){CMSG_LEN(sizeof segment), IPPROTO_UDP, UDP_SEGMENT};
		memcpy(CMSG_DATA(&controls[i].header), &segment, sizeof segment);
	}
	while (sent < count) {
		int done = sendmmsg(udp, messages + sent, count - sent, 0);
		if (done > 0)
			sent += done;
		else if (errno == EAGAIN)
			poll(&(struct pollfd){udp, POLLOUT, 0}, 1, 1);
		else if (errno != EINTR)
			sent++; /* lost, as on any way */
	}
	memset(trains, 0, sizeof trains);
	current = 0;
}

/* Where the next ESP packet, of this length, is to be made. */
static uint8_t *place(int length)
{
	struct train *train = &trains[current];
	int fits = !train->closed && length <= train->segment && train->count < TRAIN_SEGMENTS &&
		   train->length + length <= MOST_UDP;

	if (train->count > 0 && !fits) {
		if (current + 1 == TRAINS)
			send_trains();
		else
			current++;
		train = &trains[current];
	}
	if (train->count == 0)
		train->segment = length;
	uint8_t *at = outgoing[current] + train->length;
	train->closed = length < train->segment;
	train->length += length;
	train->count++;
	return at;
}

/* One super packet as segments: headers from its own, checksums whole. */
static void cut(const uint8_t *packet, int length, const struct virtio_net_hdr *super)
{
	int ip = ip_header(packet), udp_inside = is_udp(packet), first = get16(packet + IP_ID);
	int headers = ip + transport_header(packet + ip, udp_inside);
	uint32_t number = get32(packet + ip + TCP_SEQUENCE);

	for (int at = headers, i = 0; at < length; at += super->gso_size, i++) {
		int payload = length - at < super->gso_size ? length - at : super->gso_size, whole = headers + payload;
		uint8_t *esp = place(sealed_length(whole)), *inner = esp + ESP + IV, *transport = inner + ip;
		memcpy(inner, packet, headers);
		memcpy(inner + headers, packet + at, payload);
		put16(inner + IP_LENGTH, whole);
		put16(inner + IP_ID, first + i);
		put_ip_sum(inner);
		if (udp_inside)
			put16(transport + UDP_LENGTH, whole - ip);
		else {
			put32(transport + TCP_SEQUENCE, number + at - headers);
			if (at + payload < length)
				transport[TCP_FLAGS] &= ~(FIN | PSH);
			if (i > 0)
				transport[TCP_FLAGS] &= ~CWR;
		}
		uint8_t *check = transport + sum_offset(udp_inside);
		put_sum(check, 0);
		uint16_t value = ~folded(pseudo_sum(inner, whole - ip) + sum(transport, whole - ip));
		put_sum(check, udp_inside && value == 0 ? 0xffff : value);
		seal(esp, whole);
	}
}

static int read_tun(void)
{
	static uint8_t buffer[VNET + LARGEST + 1];
	struct virtio_net_hdr header;
	uint8_t *packet = buffer + VNET;
	int length = read(tun, buffer, sizeof buffer) - VNET;

	if (length < 20)
		return length >= 0;
	memcpy(&header, buffer, VNET);
	if (packet[0] >> 4 != 4)
		return 1;
	if (header.gso_type != VIRTIO_NET_HDR_GSO_NONE) {
		cut(packet, length, &header);
		return 1;
	}
	if (header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		uint8_t *from = packet + header.csum_start;
		put_sum(from + header.csum_offset, ~folded(sum(from, length - header.csum_start)));
	}
	uint8_t *esp = place(sealed_length(length));
	memcpy(esp + ESP + IV, packet, length);
	seal(esp, length);
	return 1;
}

/* --- in: consecutive segments of a flow, as pieces of one write ------------------------------------------------------- */

static struct iovec pieces[PIECES]; /* the first is the virtio header */
static int count;		    /* of them, 0: nothing waits */
static struct {
	uint8_t *packet; /* the first one, whole */
	int headers, payload, length, joinable;
	uint32_t next; /* TCP sequence number */
} pending;

static void write_pending(void)
{
	static struct virtio_net_hdr header;
	uint8_t *packet = pending.packet;

	if (count == 0)
		return;
	memset(&header, 0, sizeof header);
	pieces[0] = (struct iovec){&header, sizeof header};
	if (count > 2) {
		int ip = ip_header(packet), udp_inside = is_udp(packet);
		put16(packet + IP_LENGTH, pending.length);
		put_ip_sum(packet);
		if (udp_inside)
			put16(packet + ip + UDP_LENGTH, pending.length - ip);
		put_sum(packet + ip + sum_offset(udp_inside), folded(pseudo_sum(packet, pending.length - ip)));
		header = (struct virtio_net_hdr){
			.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
			.gso_type = udp_inside ? VIRTIO_NET_HDR_GSO_UDP_L4 : VIRTIO_NET_HDR_GSO_TCPV4,
			.hdr_len = pending.headers,
			.gso_size = pending.payload,
			.csum_start = ip,
			.csum_offset = sum_offset(udp_inside),
		};
	}
	if (writev(tun, pieces, count) < 0 && errno != EAGAIN && errno != EINVAL)
		fail("writev");
	count = 0;
}

/* Whether it may be joined with others at all: its checksum is not looked at again afterwards. */
static int is_joinable(const uint8_t *packet, int length, int headers)
{
	const uint8_t *transport = packet + 20;
	if (packet[0] != 0x45 || get16(packet + IP_FRAGMENT) & 0x3fff || get16(packet + IP_LENGTH) != length || headers >= length)
		return 0;
	if (is_udp(packet) ? get16(transport + UDP_SUM) == 0
			   : packet[IP_PROTOCOL] != IPPROTO_TCP || transport[TCP_FLAGS] & ~(ACK | PSH))
		return 0;
	return folded(pseudo_sum(packet, length - 20) + sum(transport, length - 20)) == 0xffff;
}

static int continues(const uint8_t *packet, int headers, int payload)
{
	const uint8_t *first = pending.packet, *a = first + 20, *b = packet + 20;
	if (headers != pending.headers || payload > pending.payload || memcmp(first + IP_ADDRESSES, packet + IP_ADDRESSES, 8) ||
	    first[1] != packet[1] || memcmp(first + 8, packet + 8, 2) || memcmp(a, b, 4))
		return 0;
	if (pending.length + payload > LARGEST || count == (is_udp(packet) ? TRAIN_SEGMENTS + 1 : PIECES))
		return 0;
	return is_udp(packet) || (get32(b + TCP_SEQUENCE) == pending.next && memcmp(a + TCP_ACK, b + TCP_ACK, 5) == 0 &&
				  memcmp(a + TCP_OPTIONS, b + TCP_OPTIONS, headers - 20 - TCP_OPTIONS) == 0);
}

static void deliver(uint8_t *packet, int length)
{
	int udp_inside = is_udp(packet), headers = 20 + transport_header(packet + 20, udp_inside), payload = length - headers;
	int joinable = is_joinable(packet, length, headers), pushes = !udp_inside && packet[20 + TCP_FLAGS] & PSH;

	if (count > 0 && pending.joinable && joinable && continues(packet, headers, payload)) {
		pieces[count++] = (struct iovec){packet + headers, payload};
		pending.length += payload;
		pending.next += payload;
		if (pushes)
			pending.packet[20 + TCP_FLAGS] |= PSH;
		if (pushes || payload < pending.payload)
			write_pending();
		return;
	}
	write_pending();
	pieces[1] = (struct iovec){packet, length};
	count = 2;
	pending.packet = packet;
	pending.headers = headers;
	pending.payload = payload;
	pending.length = length;
	pending.joinable = joinable;
	pending.next = get32(packet + 20 + TCP_SEQUENCE) + payload;
	if (!joinable || pushes)
		write_pending();
}

static int read_socket(void)
{
	static uint8_t buffers[RECEIVED][LARGEST + 1];
	static struct iovec parts[RECEIVED];
	static struct mmsghdr messages[RECEIVED];
	static char controls[RECEIVED][CMSG_SPACE(sizeof(int))] __attribute__((aligned(16)));

	for (int i = 0; i < RECEIVED; i++) {
		parts[i] = (struct iovec){buffers[i], sizeof buffers[i]};
		messages[i].msg_hdr = (struct msghdr){
			.msg_iov = &parts[i], .msg_iovlen = 1, .msg_control = controls[i], .msg_controllen = sizeof controls[i]};
	}
	int received = recvmmsg(udp, messages, RECEIVED, MSG_DONTWAIT, NULL);
	for (int i = 0; i < received; i++) {
		int length = messages[i].msg_len, segment = length;
		struct cmsghdr *control = CMSG_FIRSTHDR(&messages[i].msg_hdr);
		if (control != NULL && control->cmsg_level == IPPROTO_UDP && control->cmsg_type == UDP_GRO)
			memcpy(&segment, CMSG_DATA(control), sizeof segment);
		for (int at = 0; at < length; at += segment) {
			int inner = open_esp(buffers[i] + at, length - at < segment ? length - at : segment);
			if (inner >= 40 || (inner >= 20 && buffers[i][at + ESP + IV + IP_PROTOCOL] != IPPROTO_TCP))
				deliver(buffers[i] + at + ESP + IV, inner);
		}
	}
	write_pending(); /* its pieces lie in the buffers */
	return received > 0;
}

/* --- set-up ----------------------------------------------------------------------------------------------------------- */

static void open_tun(const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
	tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (tun < 0 || ioctl(tun, TUNSETIFF, &request) < 0)
		fail("/dev/net/tun");
	unsigned segmentation = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
	if (ioctl(tun, TUNSETOFFLOAD, segmentation | TUN_F_USO4 | TUN_F_USO6) < 0 && ioctl(tun, TUNSETOFFLOAD, segmentation) < 0)
		fail("TUNSETOFFLOAD");
}

static struct sockaddr_in address_of(const char *text)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	if (inet_pton(AF_INET, text, &address.sin_addr) != 1)
		fail(text);
	return address;
}

static void open_udp(const char *own, const char *peer)
{
	struct sockaddr_in here = address_of(own), there = address_of(peer);
	int yes = 1, memory = MEMORY;
	udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (udp < 0 || bind(udp, (struct sockaddr *)&here, sizeof here) < 0 ||
	    connect(udp, (struct sockaddr *)&there, sizeof there) < 0)
		fail("UDP socket");
	if (setsockopt(udp, IPPROTO_UDP, UDP_GRO, &yes, sizeof yes) < 0)
		fail("UDP_GRO");
	setsockopt(udp, SOL_SOCKET, SO_RCVBUFFORCE, &memory, sizeof memory);
	setsockopt(udp, SOL_SOCKET, SO_SNDBUFFORCE, &memory, sizeof memory);
}

int main(int arguments, char **argument)
{
	if (arguments != 6) {
		fprintf(stderr, "usage: path DEVICE OWN-ADDRESS PEER-ADDRESS OWN-SPI PEER-SPI\n");
		return 2;
	}
	open_tun(argument[1]);
	open_udp(argument[2], argument[3]);
	key(&in, atoi(argument[4]));
	key(&out, atoi(argument[5]));
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct pollfd ready[] = {{tun, POLLIN, 0}, {udp, POLLIN, 0}};
		if (poll(ready, 2, -1) < 0 && errno != EINTR)
			fail("poll");
		for (int busy = 1; busy;) {
			busy = 0;
			for (int i = 0; i < ROUND && read_tun(); i++)
				busy = 1;
			send_trains();
			busy |= read_socket();
		}
	}
}
