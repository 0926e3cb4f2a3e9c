/** The virtio network header before each packet of the TUN device (virtio 1.2 section 5.1.6, `struct virtio_net_hdr`). */

/** Little-endian: flags (1) | gso type (1) | header length (2) | gso size (2) | csum start (2) | csum offset (2). */
export const VIRTIO_HEADER_BYTES = 10;

export const VIRTIO_FLAG_NEEDS_CSUM = 1;

export const GSO = { none: 0, tcpV4: 1, udpFragment: 3, tcpV6: 4, udp: 5, ecn: 0x80 } as const;
