/* MQTT 3.1.1 subscribers, many in one process, one epoll loop.
   subscribe PORT COUNT QOS FILTER SECONDS EXPECT
   Says "ready" when all are subscribed. A payload may hold "sent":NANOSECONDS (CLOCK_MONOTONIC): then the time to here counts.
   Ends when EXPECT messages came (0: never) or after SECONDS. Prints one JSON object: got, seconds (first to last), p50, p99,
   most (milliseconds), closed (connections that the broker closed). */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef struct {
  int fd;
  unsigned char *buffer;
  int length, capacity;
} Reader;

static uint32_t *samples;
static long taken, room = 1 << 20;
static long got;
static uint64_t first, last;

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static int compare(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

static int read_all(int fd, unsigned char *into, int count) {
  int have = 0;
  while (have < count) {
    int n = read(fd, into + have, count - have);
    if (n <= 0) return -1;
    have += n;
  }
  return have;
}

static int open_one(int port, int number, int qos, const char *filter) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1, k = 0;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, (void *)&to, sizeof to) < 0) return -1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  unsigned char p[512], r[5];
  char id[40];
  int l = sprintf(id, "bench%d_%d", (int)getpid(), number);
  p[k++] = 0x10; p[k++] = 12 + l;
  memcpy(p + k, "\0\4MQTT\4\2\0\0", 10); k += 10;
  p[k++] = l >> 8; p[k++] = l;
  memcpy(p + k, id, l); k += l;
  if (write(fd, p, k) != k || read_all(fd, r, 4) < 0 || r[3]) return -1;
  int n = strlen(filter);
  k = 0;
  p[k++] = 0x82; p[k++] = 5 + n; p[k++] = 0; p[k++] = 1; p[k++] = n >> 8; p[k++] = n;
  memcpy(p + k, filter, n); k += n;
  p[k++] = qos;
  if (write(fd, p, k) != k || read_all(fd, r, 5) < 0 || r[4] > 2) return -1;
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

static void message(unsigned char *payload, int size, uint64_t t) {
  if (!first) first = t;
  last = t;
  got++;
  unsigned char *mark = memmem(payload, size, "\"sent\":", 7);
  if (!mark || taken >= 20000000) return;
  if (taken == room) samples = realloc(samples, (room *= 2) * sizeof *samples);
  samples[taken++] = (t - strtoull((char *)mark + 7, 0, 10)) / 1000;
}

/* Takes every complete packet from a reader's buffer; acknowledges QoS 1. */
static void packets(Reader *x, uint64_t t) {
  int o = 0;
  while (x->length - o >= 2) {
    int size = 0, shift = 0, h = 1, whole = 0;
    while (h < 5 && o + h < x->length) {
      int b = x->buffer[o + h++];
      size |= (b & 127) << shift;
      shift += 7;
      if (!(b & 128)) { whole = 1; break; }
    }
    if (!whole || x->length - o < h + size) break;
    unsigned char *q = x->buffer + o + h;
    if (x->buffer[o] >> 4 == 3) {
      int z = 2 + (q[0] << 8 | q[1]);
      if (x->buffer[o] >> 1 & 3) {
        unsigned char ack[4] = {0x40, 2, q[z], q[z + 1]};
        if (write(x->fd, ack, 4) < 0) perror("puback");
        z += 2;
      }
      message(q + z, size - z, t);
    }
    o += h + size;
  }
  memmove(x->buffer, x->buffer + o, x->length - o);
  x->length -= o;
}

int main(int count, char **given) {
  if (count < 7) return 2;
  int port = atoi(given[1]), readers = atoi(given[2]), qos = atoi(given[3]), closed = 0;
  double seconds = atof(given[5]);
  long expect = atol(given[6]);
  struct rlimit limit = {65536, 65536};
  setrlimit(RLIMIT_NOFILE, &limit);
  Reader *all = calloc(readers, sizeof *all);
  samples = malloc(room * sizeof *samples);
  int poll = epoll_create1(0);
  for (int i = 0; i < readers; i++) {
    all[i].fd = open_one(port, i, qos, given[4]);
    if (all[i].fd < 0) { fprintf(stderr, "reader %d was not admitted\n", i); return 1; }
    all[i].buffer = malloc(all[i].capacity = 16384);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = &all[i]};
    epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd, &e);
  }
  printf("ready\n");
  fflush(stdout);
  uint64_t end = now() + seconds * 1e9;
  struct epoll_event ready[256];
  while (now() < end && (!expect || got < expect)) {
    int n = epoll_wait(poll, ready, 256, 100);
    for (int j = 0; j < n; j++) {
      Reader *x = ready[j].data.ptr;
      if (x->capacity - x->length < 8192) x->buffer = realloc(x->buffer, x->capacity *= 2);
      int r = read(x->fd, x->buffer + x->length, x->capacity - x->length);
      if (r == 0 || (r < 0 && errno != EAGAIN)) {
        epoll_ctl(poll, EPOLL_CTL_DEL, x->fd, 0);
        closed++;
      } else if (r > 0) {
        x->length += r;
        packets(x, now());
      }
    }
  }
  qsort(samples, taken, sizeof *samples, compare);
  printf("{\"got\":%ld,\"seconds\":%.6f,\"p50\":%.3f,\"p99\":%.3f,\"most\":%.3f,\"closed\":%d}\n", got, (last - first) / 1e9,
         taken ? samples[taken / 2] / 1e3 : 0, taken ? samples[taken * 99 / 100] / 1e3 : 0,
         taken ? samples[taken - 1] / 1e3 : 0, closed);
  return 0;
}
