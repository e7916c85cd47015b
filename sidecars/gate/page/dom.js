/**
 * Builds elements. There is no HTML sink here or anywhere: text is text.
 *
 * `on…` properties become listeners, objects become properties of the element, the rest attributes.
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (typeof value === 'object') element[key] = value;
    else element.setAttribute(key, value === true ? '' : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Characters that cannot be seen, or that turn the order of others around, as their codes: what is shown is what there is. */
export function visible(text) {
  return text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, (c) => (c === '\n' ? c : `\\u{${c.codePointAt(0).toString(16)}}`));
}

const SHAPES = {
  menu: ['M4 7h16', 'M4 12h16', 'M4 17h10'],
  plus: ['M12 5v14', 'M5 12h14'],
  send: ['M12 19V5', 'M6 11l6-6 6 6'],
  stop: ['M8 8h8v8H8z'],
  down: ['M12 5v14', 'M6 13l6 6 6-6'],
  more: ['M6 12h.01', 'M12 12h.01', 'M18 12h.01'],
  copy: ['M9 9h10v11H9z', 'M15 9V5H5v11h4'],
  check: ['M5 12.5l4.5 4.5L19 7.5'],
  again: ['M19 12a7 7 0 1 1-2.2-5.1', 'M19 4v4h-4'],
  close: ['M6 6l12 12', 'M18 6L6 18'],
  tool: ['M4 7h9', 'M17 7h3', 'M15 5v4', 'M4 17h3', 'M11 17h9', 'M9 15v4'],
};

/** A line drawing, 24 units square, in the colour of the text around it. */
export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  for (const [key, value] of [['viewBox', '0 0 24 24'], ['class', 'icon'], ['aria-hidden', 'true']]) svg.setAttribute(key, value);
  for (const d of SHAPES[name]) {
    const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    path.setAttribute('d', d);
    svg.append(path);
  }
  return svg;
}

/** A button that shows only a drawing; its name is for people who hear it or hover over it. */
export function iconButton(name, label, onclick, props = {}) {
  return h('button', { type: 'button', class: 'icon-button', 'aria-label': label, title: label, onclick, ...props }, icon(name));
}
