/* Readers of server-sent events (or any HTTP stream): how many events arrive, and how late.
   sse PORT READERS SECONDS PATH
   An event is what holds "{\"t\":NANOSECONDS" (CLOCK_MONOTONIC when it was made). Waits until every reader has had its
   head, prints "ready", then counts for SECONDS. Prints one JSON object: got, seconds, p50, p99 (milliseconds). */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 4096
#define SAMPLES 8000000
#define MARK "{\"t\":"
static uint32_t latency[SAMPLES];
static char buffer[64 + (1 << 18)];
static struct { int fd, seen, kept; char tail[64]; } reader[MOST];

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}
static int compare(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}
int main(int argc, char **argv) {
  if (argc < 5) return 2;
  int port = atoi(argv[1]), count = atoi(argv[2]), ready = 0;
  double seconds = atof(argv[3]);
  char request[1024];
  int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n\r\n", argv[4]);
  int poll = epoll_create1(0);
  if (count > MOST) count = MOST;
  for (int i = 0; i < count; i++) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    reader[i].fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(reader[i].fd, (void *)&to, sizeof to)) { perror("connect"); return 1; }
    if (write(reader[i].fd, request, length) != length) { perror("write"); return 1; }
    struct epoll_event e = {.events = EPOLLIN, .data.fd = i};
    epoll_ctl(poll, EPOLL_CTL_ADD, reader[i].fd, &e);
  }
  long got = 0, samples = 0;
  uint64_t begun = 0, first = 0, last = 0, started = now();
  struct epoll_event events[256];
  while (begun ? now() < begun + (uint64_t)(seconds * 1e9) : now() < started + 30000000000ull) {
    int waiting = epoll_wait(poll, events, 256, 50);
    for (int k = 0; k < waiting; k++) {
      int i = events[k].data.fd, kept = reader[i].kept;
      memcpy(buffer, reader[i].tail, kept);
      long n = read(reader[i].fd, buffer + kept, sizeof buffer - 64);
      if (n <= 0) { fprintf(stderr, "a stream ended\n"); return 1; }
      if (!reader[i].seen) { reader[i].seen = 1; ready++; }
      uint64_t t = now();
      char *end = buffer + kept + n, *p = buffer;
      /* A mark that is cut by the end of this read is kept for the next one. */
      while ((p = memmem(p, end - p, MARK, 5)) && end - p > 40) {
        uint64_t made = strtoull(p + 5, &p, 10);
        if (!begun || made < begun) continue;
        if (!first) first = t;
        last = t;
        got++;
        if (samples < SAMPLES) latency[samples++] = (t - made) / 1000;
      }
      kept = p ? end - p : (end - buffer < 4 ? end - buffer : 4);
      if (kept > 63) kept = 63;
      memcpy(reader[i].tail, end - kept, kept);
      reader[i].kept = kept;
    }
    if (!begun && ready == count) { begun = now(); printf("ready\n"); fflush(stdout); }
  }
  if (!begun) { fprintf(stderr, "only %d of %d readers were admitted\n", ready, count); return 1; }
  qsort(latency, samples, sizeof *latency, compare);
  printf("{\"got\":%ld,\"seconds\":%.3f,\"p50\":%.3f,\"p99\":%.3f}\n", got, (last - first) / 1e9,
         samples ? latency[samples / 2] / 1e3 : 0, samples ? latency[(long)(samples * .99)] / 1e3 : 0);
  return 0;
}
