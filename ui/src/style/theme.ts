// Mantine in Rialto's colours. The values are custom properties of tokens.css, which follow the
// system's choice of light or dark.

import {
  Button,
  type CSSVariablesResolver,
  Input,
  Modal,
  NativeSelect,
  PasswordInput,
  SegmentedControl,
  TextInput,
  Textarea,
  createTheme,
} from '@mantine/core';

export const theme = createTheme({
  primaryColor: 'indigo',
  primaryShade: { light: 8, dark: 7 },
  colors: {
    dark: [
      '#e6e8ec',
      '#a3a9b4',
      '#7d8592',
      '#5a6170',
      '#434a57',
      '#2a2f39',
      '#21252d',
      '#1a1d24',
      '#15181e',
      '#121419',
    ],
  },
  fontFamily: 'var(--sans)',
  fontFamilyMonospace: 'var(--mono)',
  defaultRadius: 6,
  fontSizes: { xs: '12px', sm: '13px', md: '14px', lg: '16px', xl: '18px' },
  cursorType: 'pointer',
  respectReducedMotion: true,
  focusRing: 'auto',
  components: {
    Button: Button.extend({ defaultProps: { size: 'xs' } }),
    Input: Input.extend({
      styles: { wrapper: { '--input-bd': 'var(--control)', '--input-bg': 'var(--surface)' } },
    }),
    TextInput: TextInput.extend({ defaultProps: { size: 'sm' } }),
    PasswordInput: PasswordInput.extend({ defaultProps: { size: 'sm' } }),
    Textarea: Textarea.extend({ defaultProps: { size: 'sm' } }),
    NativeSelect: NativeSelect.extend({ defaultProps: { size: 'sm' } }),
    SegmentedControl: SegmentedControl.extend({ defaultProps: { size: 'xs' } }),
    Modal: Modal.extend({
      defaultProps: {
        transitionProps: { duration: 0 },
        centered: false,
        padding: 'lg',
        closeButtonProps: { 'aria-label': 'Close' },
      },
    }),
  },
});

const shared = {
  '--mantine-color-body': 'var(--surface)',
  '--mantine-color-text': 'var(--text)',
  '--mantine-color-dimmed': 'var(--dim)',
  '--mantine-color-placeholder': 'var(--dim)',
  '--mantine-color-anchor': 'var(--link)',
  '--mantine-color-error': 'var(--failing)',
  '--mantine-color-default': 'var(--surface)',
  '--mantine-color-default-hover': 'var(--sunken)',
  '--mantine-color-default-color': 'var(--text)',
  '--mantine-color-default-border': 'var(--control)',
  '--mantine-color-disabled': 'var(--sunken)',
  '--mantine-color-disabled-color': 'var(--dim)',
  '--mantine-color-disabled-border': 'var(--control)',
};

export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: shared,
  dark: shared,
});
