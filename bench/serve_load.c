/* A closed-loop load client for request/response protocols over persistent connections.
 *
 * serve_load ADDRESS KIND CONNECTIONS SECONDS FILE
 *
 * ADDRESS is HOST:PORT or /path. FILE holds requests: a 4-byte little-endian length before each.
 * KIND says where an answer ends: "s" a netstring, "p" an empty line.
 * Each connection sends a request, waits for its whole answer, and sends the next of the list, from a
 * place of its own in it on. With several connections it never sleeps: else only a server that lets it
 * wait would pay for waking it, with each answer, and two servers could not be compared.
 * One line of JSON: answers, seconds, latency percentiles in microseconds, answers that could not be
 * understood.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BUCKETS 200000 /* of 5 us */
static unsigned histogram[BUCKETS];

struct line { int fd; size_t next; uint64_t sent; size_t held; char answer[65536]; };

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what) { perror(what); exit(1); }

static int dial(const char *address) {
    int fd;
    if (address[0] == '/') {
        struct sockaddr_un un = { .sun_family = AF_UNIX };
        strncpy(un.sun_path, address, sizeof un.sun_path - 1);
        if ((fd = socket(AF_UNIX, SOCK_STREAM, 0)) < 0) die("socket");
        if (connect(fd, (struct sockaddr *)&un, sizeof un)) die("connect");
        return fd;
    }
    const char *colon = strrchr(address, ':');
    char host[64] = { 0 };
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(atoi(colon + 1)) };
    strncpy(host, address, (size_t)(colon - address));
    inet_pton(AF_INET, host, &in.sin_addr);
    if ((fd = socket(AF_INET, SOCK_STREAM, 0)) < 0) die("socket");
    if (connect(fd, (struct sockaddr *)&in, sizeof in)) die("connect");
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/* 1: whole, 0: more to come, -1: not the protocol */
static int whole(char kind, const char *answer, size_t held) {
    if (kind == 'p') return held >= 2 && !memcmp(answer + held - 2, "\n\n", 2);
    size_t at = 0, size = 0;
    while (at < held && answer[at] >= '0' && answer[at] <= '9') size = size * 10 + (answer[at++] - '0');
    if (at == held) return 0;
    if (answer[at] != ':') return -1;
    if (held < at + size + 2) return 0;
    return held == at + size + 2 && answer[held - 1] == ',' ? 1 : -1;
}

static char *requests[100000];
static uint32_t sizes[100000];
static size_t known = 0;

/* each connection goes through the requests in their order, from a place of its own */
static void ask(struct line *line) {
    if (write(line->fd, requests[line->next], sizes[line->next]) < 0) die("write");
    line->next = (line->next + 1) % known;
}

int main(int argc, char **argv) {
    if (argc != 6) { fprintf(stderr, "usage: %s ADDRESS KIND CONNECTIONS SECONDS FILE\n", argv[0]); return 2; }
    const char kind = argv[2][0];
    const int count = atoi(argv[3]);
    FILE *file = fopen(argv[5], "rb");
    if (!file) die(argv[5]);
    while (known < 100000 && fread(&sizes[known], 4, 1, file) == 1) {
        requests[known] = malloc(sizes[known]);
        if (fread(requests[known], sizes[known], 1, file) != 1) die("read");
        known++;
    }
    struct line *lines = calloc((size_t)count, sizeof *lines);
    const int poll = epoll_create1(0);
    uint64_t answers = 0, odd = 0;
    for (int i = 0; i < count; i++) {
        struct epoll_event event = { .events = EPOLLIN, .data.u32 = (uint32_t)i };
        lines[i].fd = dial(argv[1]);
        epoll_ctl(poll, EPOLL_CTL_ADD, lines[i].fd, &event);
    }
    const uint64_t begin = now(), end = begin + (uint64_t)(atof(argv[4]) * 1e9);
    for (int i = 0; i < count; i++) {
        lines[i].sent = now();
        lines[i].next = (size_t)i * 6 * 101 % known; /* whole attempts of 2 or 3 */
        ask(&lines[i]);
    }
    uint64_t moment = begin;
    const int patience = count > 1 ? 0 : 1000;
    while (moment < end) {
        struct epoll_event events[256];
        const int ready = epoll_wait(poll, events, 256, patience);
        for (int i = 0; i < ready; i++) {
            struct line *line = &lines[events[i].data.u32];
            const ssize_t got = read(line->fd, line->answer + line->held, sizeof line->answer - line->held);
            if (got <= 0) { fprintf(stderr, "connection lost\n"); return 1; }
            line->held += (size_t)got;
            const int state = whole(kind, line->answer, line->held);
            if (state < 0) odd++;
            if (state == 0) continue;
            moment = now();
            uint64_t bucket = (moment - line->sent) / 5000;
            histogram[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
            answers++;
            line->held = 0;
            line->sent = moment;
            ask(line);
        }
        if (!ready) moment = now();
    }
    const double seconds = (double)(now() - begin) / 1e9;
    uint64_t seen = 0, marks[2] = { answers / 2, answers - answers / 100 };
    double found[2] = { 0, 0 };
    for (int m = 0, b = 0; b < BUCKETS && m < 2; b++) {
        seen += histogram[b];
        while (m < 2 && seen >= marks[m]) found[m++] = 5.0 * (b + 1);
    }
    printf("{\"answers\": %llu, \"seconds\": %.3f, \"p50\": %.0f, \"p99\": %.0f, \"odd\": %llu}\n",
           (unsigned long long)answers, seconds, found[0], found[1], (unsigned long long)odd);
    return 0;
}
