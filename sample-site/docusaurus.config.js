// The sample book as a site with the widget in it: `./dev site`.
import katex from 'rehype-katex';
import math from 'remark-math';

const service = process.env.CHATBACKEND_URL ?? 'http://localhost:8000';

export default {
  title: 'Physical AI and Humanoid Robotics',
  url: 'http://localhost:3000',
  baseUrl: '/',
  future: {v4: true},
  markdown: {mermaid: false},
  onBrokenLinks: 'throw',
  onBrokenAnchors: 'throw',
  // An icon without a file of its own.
  headTags: [{tagName: 'link', attributes: {rel: 'icon', href: "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 100 100'><text y='.9em' font-size='90'>🤖</text></svg>"}}],
  // The widget. On a site of your own this line is all that it needs; data-translate is optional.
  scripts: [{src: new URL('widget.js', service).href, async: true, 'data-translate': 'ur'}],
  clientModules: ['./node_modules/katex/dist/katex.min.css'],
  themes: ['@docusaurus/theme-classic'],
  plugins: [
    ['@docusaurus/plugin-content-docs', {path: '../sample-book', sidebarPath: './sidebars.js', remarkPlugins: [math], rehypePlugins: [katex]}],
    '@docusaurus/plugin-content-pages',
  ],
  themeConfig: {
    colorMode: {respectPrefersColorScheme: true},
    navbar: {title: 'Physical AI and Humanoid Robotics'},
  },
};
