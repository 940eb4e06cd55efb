export function enter() { return () => {}; }
