// Compiles pages as Docusaurus does, and prints of each what a translation must keep: {"<file>": {"error": …} or {"skeleton": …}}.
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {pathToFileURL} from 'node:url';

const [modules, list] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const load = name => import(pathToFileURL(require.resolve(name)));
const [{createProcessor}, {default: frontmatter}, {default: directive}, {default: gfm}, {default: comment}, {default: math}] =
  await Promise.all(['@mdx-js/mdx', 'remark-frontmatter', 'remark-directive', 'remark-gfm', '@slorber/remark-comment', 'remark-math'].map(load));
const {unwrapMdxCodeBlocks, escapeMarkdownHeadingIds, admonitionTitleToDirectiveLabel} = require('@docusaurus/utils');
const keywords = ['secondary', 'info', 'success', 'danger', 'note', 'tip', 'warning', 'important', 'caution'];

const sentences = new Set(['paragraph', 'heading', 'tableCell', 'link', 'linkReference', 'emphasis', 'strong', 'delete', 'mdxJsxTextElement']);

// Docusaurus writes these back as text: 12:30pm.
const isText = node => node.type === 'text' || node.type === 'textDirective' && node.children.length === 0 && Object.keys(node.attributes ?? {}).length === 0;

function skeleton(node) {
  const own = [node.type];
  for (const key of ['depth', 'ordered', 'start', 'checked', 'align', 'lang', 'meta', 'url', 'title', 'identifier', 'referenceType', 'name', 'attributes'])
    if (node[key] !== undefined && node[key] !== null)
      own.push(`${key}=${typeof node[key] === 'object' ? JSON.stringify(node[key], (k, v) => k === 'data' || k === 'position' ? undefined : v) : node[key]}`);
  if (['code', 'inlineCode', 'math', 'inlineMath', 'html', 'mdxjsEsm', 'mdxFlowExpression', 'mdxTextExpression', 'comment'].includes(node.type))
    own.push(node.value);
  if (node.type === 'linkReference' || node.type === 'imageReference')
    return `reference ${node.identifier}(${children(node)})`;
  return node.children ? `${own.join(' ')}(${children(node)})` : own.join(' ');

  function children(parent) {
    const isSentence = sentences.has(parent.type) || parent.type.endsWith('Directive') && parent.type !== 'containerDirective';
    const inner = parent.children?.filter(child => !isText(child) && !/^\s*(\/\*\s*#.*\*\/|#\S+)\s*$/.test(child.type === 'mdxTextExpression' ? child.value : '')) ?? [];
    const words = parent.children?.some(child => isText(child) && /[\p{L}\p{N}]/u.test(child.value ?? child.name)) ? ['words'] : [];
    const parts = inner.map(child => skeleton(child));
    return [...words, ...(isSentence ? parts.sort() : parts)].join(', ');
  }
}

const results = {};
for (const file of readFileSync(list, 'utf8').split('\n').filter(Boolean)) {
  let tree;
  const processor = createProcessor({remarkPlugins: [frontmatter, directive, gfm, comment, math, () => root => { tree = root; }]});
  try {
    const source = admonitionTitleToDirectiveLabel(escapeMarkdownHeadingIds(unwrapMdxCodeBlocks(readFileSync(file, 'utf8'))), keywords);
    await processor.process({value: source, path: file});
    tree.children = tree.children.filter(child => child.type !== 'yaml');
    results[file] = {skeleton: skeleton(tree)};
  } catch (error) {
    results[file] = {error: String(error.message ?? error)};
  }
}
process.stdout.write(JSON.stringify(results));
