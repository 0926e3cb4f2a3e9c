/* Inner packets of path.c: octets, checksums and the fields of IPv4, TCP and UDP. */
#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

/* --- octets and sums ------------------------------------------------------------------------------------------------ */

static uint16_t get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static void put16(uint8_t *p, uint16_t value)
{
	p[0] = value >> 8;
	p[1] = value;
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t value;
	memcpy(&value, p, 4);
	return ntohl(value);
}

static void put32(uint8_t *p, uint32_t value)
{
	value = htonl(value);
	memcpy(p, &value, 4);
}

/* Of 16-bit words in the host's order, without the carries folded in (RFC 1071). */
static uint64_t sum(const uint8_t *p, int length)
{
	uint64_t total = 0;
	uint32_t word;
	for (; length >= 4; length -= 4, p += 4) {
		memcpy(&word, p, 4);
		total += word;
	}
	word = 0;
	memcpy(&word, p, length);
	return total + word;
}

static uint16_t folded(uint64_t total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return total;
}

static void put_sum(uint8_t *p, uint16_t value)
{
	memcpy(p, &value, 2);
}

/* --- inner packets -------------------------------------------------------------------------------------------------- */

enum { IP_LENGTH = 2, IP_ID = 4, IP_FRAGMENT = 6, IP_PROTOCOL = 9, IP_SUM = 10, IP_ADDRESSES = 12 };
enum { TCP_SEQUENCE = 4, TCP_ACK = 8, TCP_OFFSET = 12, TCP_FLAGS = 13, TCP_SUM = 16, TCP_OPTIONS = 20 };
enum { UDP_LENGTH = 4, UDP_SUM = 6, UDP_HEADER = 8 };
enum { FIN = 1, PSH = 8, ACK = 16, CWR = 128 };

static int ip_header(const uint8_t *packet)
{
	return (packet[0] & 15) * 4;
}

static int is_udp(const uint8_t *packet)
{
	return packet[IP_PROTOCOL] == IPPROTO_UDP;
}

static int transport_header(const uint8_t *transport, int udp_inside)
{
	return udp_inside ? UDP_HEADER : (transport[TCP_OFFSET] >> 4) * 4;
}

static int sum_offset(int udp_inside)
{
	return udp_inside ? UDP_SUM : TCP_SUM;
}

static uint64_t pseudo_sum(const uint8_t *packet, int transport_length)
{
	return sum(packet + IP_ADDRESSES, 8) + htons(packet[IP_PROTOCOL]) + htons(transport_length);
}

static void put_ip_sum(uint8_t *packet)
{
	put_sum(packet + IP_SUM, 0);
	put_sum(packet + IP_SUM, ~folded(sum(packet, ip_header(packet))));
}
