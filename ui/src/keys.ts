// Single keys. They are silent where text is typed, and can be switched off (WCAG 2.1.4).

import { useEffect, useRef } from 'react';

const KEPT = 'rialto.keys';
/** A second key counts as the second of a pair for this long. */
const PAIR_MS = 1_200;

export function areKeysOn(): boolean {
  return window.localStorage.getItem(KEPT) !== 'off';
}

export function setKeysOn(isOn: boolean): void {
  window.localStorage.setItem(KEPT, isOn ? 'on' : 'off');
}

export interface Press {
  key: string;
  isTyping: boolean;
  isModified: boolean;
  isInDialog: boolean;
}

/** Which of the bound names (`/`, `g o`) a press means, after the one before it. */
export function meaning(
  press: Press,
  before: string | undefined,
  bound: readonly string[],
): string | undefined {
  if (press.isTyping || press.isModified || press.isInDialog) return undefined;
  const pair = before === undefined ? undefined : `${before} ${press.key}`;
  if (pair !== undefined && bound.includes(pair)) return pair;
  return bound.includes(press.key) ? press.key : undefined;
}

export function pressOf(event: KeyboardEvent): Press {
  const target = event.target instanceof Element ? event.target : undefined;
  const isTyping =
    target?.closest(
      'input:not([type=range]):not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable=true]',
    ) != null;
  return {
    key: event.key,
    isTyping,
    isModified: event.ctrlKey || event.metaKey || event.altKey,
    isInDialog: document.querySelector('[role=dialog][aria-modal=true]') !== null,
  };
}

export function useKeys(bindings: Record<string, () => void>): void {
  const latest = useRef(bindings);
  useEffect(() => {
    latest.current = bindings;
  });
  useEffect(() => {
    let before: { key: string; at: number } | undefined;
    const listen = (event: KeyboardEvent) => {
      if (event.defaultPrevented || !areKeysOn()) return;
      const press = pressOf(event);
      const last = before && event.timeStamp - before.at < PAIR_MS ? before.key : undefined;
      const name = meaning(press, last, Object.keys(latest.current));
      before =
        press.isTyping || press.isModified ? undefined : { key: event.key, at: event.timeStamp };
      if (name === undefined) return;
      event.preventDefault();
      before = undefined;
      latest.current[name]?.();
    };
    window.addEventListener('keydown', listen);
    return () => window.removeEventListener('keydown', listen);
  }, []);
}
