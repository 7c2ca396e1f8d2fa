// Improves pages that work without it: times in the reader's zone, buttons that
// copy, filters that apply at once, forms that open as dialogs, and a
// confirmation that says when it is right.
(() => {
  'use strict';
  document.documentElement.classList.add('scripted');

  const local = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

  // Shows times in the reader's zone; UTC stays in the title.
  const localize = (root) => {
    for (const time of root.querySelectorAll('time')) {
      const text = local.format(new Date(time.dateTime));
      if ('relative' in time.dataset) time.title = `${text} (${time.title})`;
      else time.textContent = text;
    }
  };

  const copy = async (button) => {
    const from = document.getElementById(button.dataset.copy);
    const text = 'value' in from ? from.value : from.textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch { // no permission, or no TLS
      const range = document.createRange();
      if (from.select) from.select();
      else { range.selectNodeContents(from); getSelection().removeAllRanges(); getSelection().addRange(range); }
      document.execCommand('copy');
    }
    button.dataset.label ??= button.textContent;
    button.textContent = 'Copied';
    setTimeout(() => { button.textContent = button.dataset.label; }, 2000);
  };

  // A filter goes without its empty fields, lest addresses fill up with them.
  const apply = (form) => {
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value !== '' || name === 'state') query.append(name, value);
    location.assign(`${location.pathname}?${query}`);
  };

  const openDialog = async (link) => {
    const answer = await fetch(link.href, { headers: { Accept: 'text/html' } });
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    const content = page.querySelector('[data-fragment]');
    if (!answer.ok || answer.redirected || !content) { location.assign(link.href); return; }
    const dialog = document.createElement('dialog');
    dialog.setAttribute('aria-label', content.querySelector('h1').textContent);
    dialog.append(document.adoptNode(content));
    document.body.append(dialog);
    dialog.addEventListener('close', () => { dialog.remove(); link.focus(); });
    dialog.querySelector('[data-close]')?.addEventListener('click', (event) => { event.preventDefault(); dialog.close(); });
    dialog.showModal();
    dialog.querySelector('input:not([type=hidden])')?.focus();
  };

  document.addEventListener('click', (event) => {
    const button = event.target.closest('[data-copy]');
    if (button) { copy(button); return; }
    const link = event.target.closest('a[data-dialog]');
    if (link && !event.metaKey && !event.ctrlKey && !event.shiftKey && event.button === 0) {
      event.preventDefault();
      openDialog(link).catch(() => location.assign(link.href));
    }
  });

  document.addEventListener('change', (event) => {
    const form = event.target.closest('form[data-auto]');
    if (form && event.target.type !== 'search') apply(form);
  });

  document.addEventListener('submit', (event) => {
    if (event.target.matches('form[data-auto]')) { event.preventDefault(); apply(event.target); }
  });

  const confirmation = document.querySelector('[data-confirm]');
  if (confirmation) {
    const squeeze = (text) => text.trim().split(/\s+/).join(' ');
    const button = confirmation.form.querySelector('button');
    const check = () => { button.disabled = squeeze(confirmation.value) !== squeeze(confirmation.dataset.confirm); };
    confirmation.addEventListener('input', check);
    check();
  }

  document.getElementById('problem')?.focus();
  localize(document);
})();
