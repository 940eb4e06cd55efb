/* One MQTT 3.1.1 publisher, QoS 0.
   publish PORT TOPIC SIZE COUNT RATE
   Each payload is SIZE bytes of JSON that begin with {"sent":NANOSECONDS (CLOCK_MONOTONIC). RATE 0: as fast as it goes. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void send_all(int fd, const unsigned char *data, int size) {
  while (size > 0) {
    int n = write(fd, data, size);
    if (n <= 0) { perror("write"); exit(1); }
    data += n;
    size -= n;
  }
}

int main(int count, char **given) {
  if (count < 6) return 2;
  int port = atoi(given[1]), size = atoi(given[3]), one = 1, k = 0, held = 0;
  const char *topic = given[2];
  long messages = atol(given[4]);
  double rate = atof(given[5]);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, (void *)&to, sizeof to)) { perror("connect"); return 1; }
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  unsigned char hello[64], answer[4];
  int l = sprintf((char *)hello + 14, "bp%d", (int)getpid());
  hello[0] = 0x10; hello[1] = 12 + l;
  memcpy(hello + 2, "\0\4MQTT\4\2\0\0", 10);
  hello[12] = 0; hello[13] = l;
  send_all(fd, hello, 14 + l);
  if (read(fd, answer, 4) != 4 || answer[3]) return 1;
  int t = strlen(topic), rest = 2 + t + size;
  unsigned char *m = malloc(rest + 64);
  static unsigned char out[1 << 18];
  m[k++] = 0x30;
  for (int x = rest;;) { int b = x & 127; x >>= 7; m[k++] = b | (x ? 128 : 0); if (!x) break; }
  m[k++] = t >> 8; m[k++] = t;
  memcpy(m + k, topic, t); k += t;
  memset(m + k, 'x', size);
  uint64_t begin = now();
  for (long i = 0; i < messages; i++) {
    uint64_t due = rate > 0 ? begin + (uint64_t)(i * 1e9 / rate) : 0, n;
    while ((n = now()) < due) {
      struct timespec nap = {0, due - n > 5000000 ? 5000000 : due - n};
      nanosleep(&nap, 0);
    }
    char text[64];
    int w = snprintf(text, sizeof text, "{\"sent\":%020llu,\"pad\":\"", (unsigned long long)now());
    memcpy(m + k, text, w);
    memcpy(m + k + size - 2, "\"}", 2);
    if (held + k + size > (int)sizeof out) { send_all(fd, out, held); held = 0; }
    memcpy(out + held, m, k + size);
    held += k + size;
    if (rate > 0 || held > 16384) { send_all(fd, out, held); held = 0; }
  }
  send_all(fd, out, held);
  usleep(200000);
  return 0;
}
