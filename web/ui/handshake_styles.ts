import { css } from './html.ts'

/** Two life lines with arrows between them. Lanes are 24px from the edges. */
export const handshakeStyles = css`
  handshake-view {
    .waiting {
      margin-top: 20vh;
      color: var(--ink-soft);
      font: italic 400 var(--step-2) / 1.5 var(--serif);
      text-align: center;
      text-wrap: balance;
    }

    .mode .title {
      display: flex;
      align-items: center;
      gap: var(--s3);
      font-size: var(--step-2);
      font-weight: 600;
    }

    .complete {
      display: inline-flex;
      align-items: center;
      gap: 4px;
      color: var(--good);
      font-size: var(--step-1);

      & .icon {
        width: 16px;
        height: 16px;
      }
    }

    .figures {
      display: grid;
      grid-template-columns: repeat(3, 1fr);
      margin-top: var(--s4);
      border: 1px solid var(--line);
      border-radius: var(--round);
      background: var(--raised);

      & > div {
        padding: var(--s2) var(--s3);
      }

      & > div + div {
        border-inline-start: 1px solid var(--line);
      }

      & dt {
        color: var(--ink-soft);
        font-size: var(--step-1);
      }

      & dd {
        font-size: var(--step-2);
        font-variant-numeric: tabular-nums;
        font-weight: 550;
      }

      @media (max-width: 480px) {
        & dd {
          font-size: var(--step-0);
        }
      }
    }

    .times {
      position: relative;
      height: 6px;
      margin-top: var(--s3);
      overflow: hidden;
      border-radius: 3px;
      background: var(--line);

      & span {
        position: absolute;
        top: 0;
        bottom: 0;
        min-width: 2px;
        border-inline-end: 1px solid var(--surface);
        background: var(--accent);
      }

      & .in {
        background: light-dark(#8a6a3b, #d7b47a);
      }

      & .own {
        background: var(--line-strong);
      }
    }

    .heads {
      position: sticky;
      z-index: 1;
      top: 60px;
      display: flex;
      justify-content: space-between;
      margin-top: var(--s2);
      padding: var(--s2) 0;
      background: var(--surface);

      & span {
        padding: 5px 14px;
        border-radius: 999px;
        background: var(--accent);
        color: var(--on-accent);
        font-size: var(--step-1);
        font-weight: 600;
      }

      & span:last-child {
        background: light-dark(#8a6a3b, #d7b47a);
        color: light-dark(#fff, #221a0c);
      }
    }

    .lanes {
      position: relative;
      padding: var(--s4) 0 var(--s3);

      &::before,
      &::after {
        content: "";
        position: absolute;
        top: 0;
        bottom: 0;
        width: 2px;
        background: var(--accent);
        opacity: 0.45;
      }

      &::before {
        left: 23px;
      }

      &::after {
        right: 23px;
        background: light-dark(#8a6a3b, #d7b47a);
      }
    }

    .step {
      position: relative;
      padding: 0 44px;
      animation: step-in 240ms ease-out;

      & + .step {
        margin-top: var(--s5);
      }

      & .line {
        display: flex;
        flex-wrap: wrap;
        align-items: baseline;
        justify-content: space-between;
        gap: 0 var(--s3);
      }

      & .figure {
        font-variant-numeric: tabular-nums;
        white-space: nowrap;
      }

      & .proves {
        font-size: var(--step-1);
        line-height: 1.5;
      }
    }

    .arrow {
      position: relative;
      display: block;
      height: 2px;
      margin: 6px -19px 9px;
      background: var(--accent);
      transform-origin: left;
      animation: arrow-draw 320ms ease-out;

      &::after {
        content: "";
        position: absolute;
        top: -4px;
        right: 0;
        width: 8px;
        height: 8px;
        border: solid var(--accent);
        border-width: 2px 2px 0 0;
        rotate: 45deg;
      }
    }

    .in .arrow {
      background: light-dark(#8a6a3b, #d7b47a);
      transform-origin: right;

      &::after {
        right: auto;
        left: 0;
        border-color: light-dark(#8a6a3b, #d7b47a);
        border-width: 0 0 2px 2px;
      }
    }

    .own {
      margin-inline: 40px 64px;
      padding: var(--s2) var(--s3);
      border: 1px solid var(--line);
      border-inline-start: 3px solid var(--accent);
      border-radius: 8px;
      background: var(--raised);

      &::before {
        content: "";
        position: absolute;
        top: 14px;
        left: -23px;
        width: 10px;
        height: 10px;
        border: 2px solid var(--surface);
        border-radius: 50%;
        background: var(--accent);
      }
    }

    details {
      margin-top: 2px;
      font-size: var(--step-1);

      & summary {
        width: fit-content;
        min-height: 28px;
        padding: 3px 6px 3px 0;
        border-radius: 6px;
        color: var(--accent);
        cursor: pointer;
      }

      & dl {
        display: grid;
        gap: var(--s2);
        padding: var(--s3);
        border-radius: var(--round);
        background: var(--paper);
      }

      & dt {
        font-weight: 550;
      }

      & dd {
        overflow-wrap: anywhere;
        font-size: 0.75rem;
        line-height: 1.6;
      }
    }

    .shared {
      padding: 0 var(--s4) var(--s4);
      border-radius: var(--rounder);
      background: var(--accent-soft);

      & h3 {
        padding-top: var(--s3);
        margin-top: 0;
      }
    }

    .transcript {
      display: block;
      margin-bottom: var(--s2);
      max-width: 40ch;
      font-size: var(--step-0);
      line-height: 1.7;
    }

    .secrets {
      display: flex;
      gap: var(--s2);
      margin-top: var(--s4);
    }

    .going {
      text-align: center;
    }
  }

  @keyframes arrow-draw {
    from {
      transform: scaleX(0);
    }
  }

  @keyframes step-in {
    from {
      opacity: 0;
    }
  }
`
