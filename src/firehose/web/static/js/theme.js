// In <head>, before anything is painted: the theme and density that this browser chose.
document.documentElement.dataset.script = "";
try {
  const { theme } = localStorage;
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch { /* a private window: the system's theme */ }
