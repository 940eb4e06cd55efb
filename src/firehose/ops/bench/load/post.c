/* POST load: keep-alive connections that send one request after the other and time each answer.
   post PORT CONNECTIONS SECONDS RATE < request
   The request is sent as it is, but every "@@@@@@@@@@@@" (12) in it becomes a counter, so that no two are alike.
   RATE 0: each connection sends as soon as it has its answer. Else so many requests per second over all, and the
   latency counts from when a request was due (no coordinated omission).
   Prints one JSON object: rate, p50, p99 (milliseconds), ok, other. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 4096
#define SAMPLES 4000000
static char request[1 << 20];
static long length, places[16], place_count, counter;
static struct { int fd; uint64_t since; int busy; long left; int in_head; char head[4096]; long had; } line[MOST];
static uint32_t latency[SAMPLES];
static long samples, good, bad;

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}
static int compare(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}
static void fire(int i, uint64_t since) {
  char digits[16];
  snprintf(digits, sizeof digits, "%012ld", counter++);
  for (int p = 0; p < place_count; p++) memcpy(request + places[p], digits, 12);
  long sent = 0;
  while (sent < length) {
    long n = write(line[i].fd, request + sent, length - sent);
    if (n < 0) { perror("write"); exit(1); }
    sent += n;
  }
  line[i].since = since;
  line[i].busy = 1;
  line[i].in_head = 1;
  line[i].had = 0;
}
/* Reads what is there; 1 when an answer is complete. */
static int take(int i) {
  char buffer[65536];
  long n = read(line[i].fd, buffer, sizeof buffer);
  if (n <= 0) { fprintf(stderr, "the server closed a connection\n"); exit(1); }
  if (line[i].in_head) {
    if (line[i].had + n >= (long)sizeof line[i].head) { fprintf(stderr, "head too long\n"); exit(1); }
    memcpy(line[i].head + line[i].had, buffer, n);
    line[i].had += n;
    line[i].head[line[i].had] = 0;
    char *end = strstr(line[i].head, "\r\n\r\n");
    if (!end) return 0;
    char *content = strcasestr(line[i].head, "content-length:");
    long body = content && content < end ? atol(content + 15) : 0;
    line[i].in_head = 0;
    line[i].left = body - (line[i].head + line[i].had - (end + 4));
    if (line[i].head[9] == '2') good++; else { if (!bad) fprintf(stderr, "%s\n", line[i].head); bad++; }
  } else
    line[i].left -= n;
  return line[i].left <= 0;
}
int main(int argc, char **argv) {
  if (argc < 5) return 2;
  int port = atoi(argv[1]), count = atoi(argv[2]);
  double seconds = atof(argv[3]), rate = atof(argv[4]);
  length = fread(request, 1, sizeof request - 1, stdin);
  for (char *p = request; (p = strstr(p, "@@@@@@@@@@@@")) && place_count < 16; p += 12) places[place_count++] = p - request;
  counter = now() / 1000 % 100000000000;
  int poll = epoll_create1(0);
  for (int i = 0; i < count && i < MOST; i++) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    line[i].fd = socket(AF_INET, SOCK_STREAM, 0);
    int one = 1;
    setsockopt(line[i].fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(line[i].fd, (void *)&to, sizeof to)) { perror("connect"); return 1; }
    struct epoll_event e = {.events = EPOLLIN, .data.fd = i};
    epoll_ctl(poll, EPOLL_CTL_ADD, line[i].fd, &e);
  }
  uint64_t begun = now(), end = begun + (uint64_t)(seconds * 1e9);
  long due = 0;
  if (!rate) for (int i = 0; i < count; i++) fire(i, now());
  struct epoll_event events[256];
  for (uint64_t t = begun; t < end; t = now()) {
    if (rate)
      for (int i = 0; i < count; i++) {
        uint64_t when = begun + (uint64_t)(due * 1e9 / rate);
        if (when > t) break;
        if (!line[i].busy) { fire(i, when); due++; }
      }
    int ready = epoll_wait(poll, events, 256, rate ? 1 : 100);
    for (int k = 0; k < ready; k++) {
      int i = events[k].data.fd;
      if (!line[i].busy || !take(i)) continue;
      line[i].busy = 0;
      if (samples < SAMPLES) latency[samples++] = (now() - line[i].since) / 1000;
      if (!rate) fire(i, now());
    }
  }
  double took = (now() - begun) / 1e9;
  qsort(latency, samples, sizeof *latency, compare);
  printf("{\"rate\":%.0f,\"p50\":%.3f,\"p99\":%.3f,\"ok\":%ld,\"other\":%ld}\n", samples / took,
         samples ? latency[samples / 2] / 1e3 : 0, samples ? latency[(long)(samples * .99)] / 1e3 : 0, good, bad);
  return 0;
}
