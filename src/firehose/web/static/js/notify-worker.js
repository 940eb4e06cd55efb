// Shows what the hub pushes, also when no page is open. It answers no request and keeps nothing.
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", event => event.waitUntil(self.clients.claim()));
self.addEventListener("push", event => {
  const said = (() => { try { return event.data.json(); } catch { return {}; } })();
  event.waitUntil(self.registration.showNotification(said.title || "Firehose", {
    body: said.body || "", tag: said.tag || said.id || "firehose", data: { url: said.url || "/notify", why: said.why || "/notify" },
    actions: [{ action: "why", title: "Less or stop" }],
  }));
});
self.addEventListener("notificationclick", event => {
  event.notification.close();
  const { url, why } = event.notification.data;
  event.waitUntil((async () => {
    const target = new URL(event.action === "why" ? why : url, self.location.origin);
    // Only pages of this hub are opened.
    const href = target.origin === self.location.origin ? target.href : `${self.location.origin}/notify`;
    const open = (await self.clients.matchAll({ type: "window" })).find(client => client.url === href);
    return open ? open.focus() : self.clients.openWindow(href);
  })());
});
