// Light or dark: the system's choice until the button is used, then the person's, kept per browser.
const KEY = 'telemetry-hub.theme';

type Theme = 'light' | 'dark';

export class ThemeSwitch {
  private readonly system = window.matchMedia('(prefers-color-scheme: dark)');

  constructor(
    private readonly button: HTMLButtonElement,
    private readonly onChange: () => void,
  ) {
    const kept = stored();
    if (kept) document.documentElement.dataset['theme'] = kept;
    this.system.addEventListener('change', () => this.changed());
    button.addEventListener('click', () => {
      const next: Theme = this.dark ? 'light' : 'dark';
      document.documentElement.dataset['theme'] = next;
      try {
        localStorage.setItem(KEY, next);
      } catch {
        // Storage may be forbidden; the choice then lasts as long as the page.
      }
      this.changed();
    });
    this.label();
  }

  private get dark(): boolean {
    const chosen = document.documentElement.dataset['theme'];
    return chosen ? chosen === 'dark' : this.system.matches;
  }

  private changed(): void {
    this.label();
    this.onChange();
  }

  private label(): void {
    const label = this.dark ? 'Use light colours' : 'Use dark colours';
    this.button.setAttribute('aria-label', label);
    this.button.title = label;
  }
}

function stored(): Theme | null {
  try {
    const kept = localStorage.getItem(KEY);
    return kept === 'light' || kept === 'dark' ? kept : null;
  } catch {
    return null;
  }
}
