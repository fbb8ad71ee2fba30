/*! ChatBackend widget {{version}} */
(() => {
  'use strict'

  const script = document.currentScript
  if (!script || window.chatbackendWidget)
    return
  // For a site's own code: chatbackendWidget.ask('What is a node?') opens the panel and asks; refresh() when somebody signs in or out.
  window.chatbackendWidget = {
    open: () => panel.open(),
    refresh: () => panel.refresh(),
    ask: async question => {
      await panel.open()
      await panel.ask(question)
    },
  }

  const service = new URL('.', script.src)
  const book = {{book}}
  const option = name => script.dataset[name]?.trim() || undefined

  // ---- Texts. To add a language, add a table: what it lacks is shown in English. ----

  const tables = {
    en: {
      ask: 'Ask the book', title: 'Ask {book}', close: 'Close', placeholder: 'Ask or search the book', send: 'Ask', stop: 'Stop',
      again: 'Ask again', copy: 'Copy', copied: 'Copied', good: 'Good answer', bad: 'Bad answer', comment: 'What was missing or wrong? (optional)',
      sendComment: 'Send', thanks: 'Thank you.', fresh: 'New conversation', list: 'Your conversations', remove: 'Delete this conversation',
      sure: 'Delete it for good?', back: 'Back', none: 'There are no conversations yet.', earlier: 'Show earlier questions', about: 'Ask about this', drop: 'Leave the selection out',
      selected: 'About the selected text', hello: 'Ask anything about {book}. Answers link to the page they come from.', try: 'For example',
      searching: 'Searching the book…', writing: 'Writing…', waiting: 'Connecting again…', sources: 'Sources', matching: 'Headings that match', headings: '{count} headings match', you: 'You asked',
      partial: 'The book answers this only in part.', nothing: 'The book has nothing on this.', cut: 'This answer is not complete.', stopped: 'Stopped.',
      offline: 'You are offline, or the service cannot be reached. Check the connection and try again.',
      refused: 'This site may not use the service yet. Its owner finds the reason in the browser console.',
      limited: 'Too many requests. Try again in {seconds} s.', later: 'The answer could not be written just now. Try again in a moment.',
      unavailable: 'The service is not available just now. Try again in a moment.',
      spent: 'Today\'s limit is reached. Try again tomorrow.', signin: 'Your sign-in has run out. Sign in again, then ask again.',
      gone: 'This conversation no longer exists. Ask again to begin a new one.', failed: 'Something went wrong. Try again.', retry: 'Try again',
      translate: 'Read this in {language}', original: 'Show the original', translating: 'Translating…', partTranslated: 'Some paragraphs could not be translated.',
      untranslatable: 'Pages cannot be translated here yet. The site\'s owner finds the reason in the browser console.',
    },
    ur: {
      ask: 'کتاب سے پوچھیں', title: '{book} سے پوچھیں', close: 'بند کریں', placeholder: 'سوال پوچھیں یا تلاش کریں', send: 'پوچھیں', stop: 'روکیں',
      again: 'دوبارہ پوچھیں', copy: 'نقل کریں', copied: 'نقل ہو گیا', good: 'اچھا جواب', bad: 'برا جواب', comment: 'کیا کمی یا غلطی تھی؟ (اختیاری)',
      sendComment: 'بھیجیں', thanks: 'شکریہ۔', fresh: 'نئی گفتگو', list: 'آپ کی گفتگوئیں', remove: 'یہ گفتگو حذف کریں',
      sure: 'ہمیشہ کے لیے حذف کریں؟', back: 'واپس', none: 'ابھی کوئی گفتگو نہیں ہے۔', earlier: 'پہلے کے سوال دکھائیں', about: 'اس کے بارے میں پوچھیں', drop: 'منتخب متن ہٹا دیں',
      selected: 'منتخب متن کے بارے میں', hello: '{book} کے بارے میں کچھ بھی پوچھیں۔ ہر جواب میں اس صفحے کا لنک ہوتا ہے جہاں سے وہ لیا گیا۔', try: 'مثال کے طور پر',
      searching: 'کتاب میں تلاش جاری ہے…', writing: 'جواب لکھا جا رہا ہے…', waiting: 'دوبارہ رابطہ کیا جا رہا ہے…', sources: 'حوالے', matching: 'ملتے جلتے عنوان', headings: '{count} عنوان ملے', you: 'آپ نے پوچھا',
      partial: 'کتاب میں اس کا صرف جزوی جواب ہے۔', nothing: 'کتاب میں اس بارے میں کچھ نہیں ہے۔', cut: 'یہ جواب مکمل نہیں ہے۔', stopped: 'روک دیا گیا۔',
      offline: 'آپ آف لائن ہیں یا سروس تک رسائی نہیں ہو رہی۔ کنکشن دیکھ کر دوبارہ کوشش کریں۔',
      refused: 'اس سائٹ کو ابھی سروس استعمال کرنے کی اجازت نہیں۔ وجہ براؤزر کنسول میں لکھی ہے۔',
      limited: 'بہت سی درخواستیں ہو گئیں۔ {seconds} سیکنڈ بعد دوبارہ کوشش کریں۔', later: 'اس وقت جواب نہیں لکھا جا سکا۔ ذرا دیر بعد دوبارہ کوشش کریں۔',
      unavailable: 'سروس اس وقت دستیاب نہیں۔ ذرا دیر بعد دوبارہ کوشش کریں۔',
      spent: 'آج کی حد پوری ہو گئی۔ کل دوبارہ کوشش کریں۔', signin: 'آپ کا سائن اِن ختم ہو گیا ہے۔ دوبارہ سائن اِن کر کے پوچھیں۔',
      gone: 'یہ گفتگو اب موجود نہیں۔ نئی گفتگو کے لیے دوبارہ پوچھیں۔', failed: 'کچھ غلط ہو گیا۔ دوبارہ کوشش کریں۔', retry: 'دوبارہ کوشش کریں',
      translate: 'اسے {language} میں پڑھیں', original: 'اصل متن دکھائیں', translating: 'ترجمہ ہو رہا ہے…', partTranslated: 'کچھ حصوں کا ترجمہ نہیں ہو سکا۔',
      untranslatable: 'یہاں ابھی صفحوں کا ترجمہ نہیں ہو سکتا۔ وجہ براؤزر کنسول میں لکھی ہے۔',
    },
  }

  const wanted = (option('lang') ?? document.documentElement.lang).split('-')[0].toLowerCase()
  const language = tables[wanted] ? wanted : 'en'
  const isRightToLeft = code => /^(ar|ckb|dv|fa|he|ku|ps|sd|ug|ur|yi)\b/.test(code)
  // What dir="auto" would find if it looked into elements that have a direction themselves.
  const directionOf = lines => /^\P{L}*[\u0590-\u08ff\ufb1d-\ufefc]/u.test(lines.join(' ')) ? 'rtl' : 'ltr'
  const nameOf = code => new Intl.DisplayNames([code], { type: 'language' }).of(code)

  const t = (key, values = {}) => {
    const text = tables[language][key] ?? tables.en[key]
    return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? book.title)
  }

  // ---- Elements ----

  const h = (name, attributes = {}, ...children) => {
    const element = document.createElement(name)
    for (const [key, value] of Object.entries(attributes)) {
      if (typeof value === 'function')
        element.addEventListener(key.slice(2), value)
      else if (value === true)
        element.setAttribute(key, '')
      else if (value !== false && value !== undefined)
        element.setAttribute(key, value)
    }
    element.append(...children.filter(child => child !== undefined && child !== false))
    return element
  }

  const paths = {
    chat: 'M4 5h16v11H9l-5 4z', close: 'M5 5l14 14M19 5L5 19', send: 'M4 12h15M13 6l6 6-6 6', stop: 'M7 7h10v10H7z', plus: 'M12 5v14M5 12h14',
    list: 'M4 6h16M4 12h16M4 18h16', copy: 'M8 8h11v12H8zM16 8V4H5v12h3', again: 'M20 11a8 8 0 1 0-2 6M20 5v6h-6', trash: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13',
    up: 'M7 11v9H4v-9zM7 11l5-8c2 0 2.500 1.500 2 3l-1 4h6l-2 10H7', down: 'M7 13V4H4v9zM7 13l5 8c2 0 2.500-1.500 2-3l-1-4h6L17 4H7',
    language: 'M4 6h9M8.500 4v2M12 6c-1 4-4 7-8 9M6 9c1 3 4 5 7 6M12 20l4-10 4 10M13.500 17h5',
  }

  const icon = name => {
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
    const path = document.createElementNS('http://www.w3.org/2000/svg', 'path')
    svg.setAttribute('viewBox', '0 0 24 24')
    svg.setAttribute('aria-hidden', 'true')
    path.setAttribute('d', paths[name])
    svg.append(path)
    return svg
  }

  const iconButton = (name, label, press, attributes = {}) =>
    h('button', { type: 'button', class: 'icon', 'aria-label': label, title: label, onclick: press, ...attributes }, icon(name))

  // ---- Markdown: a closed subset, as elements and text. Whatever is not in it stays text. ----

  const deepest = 6
  const mostRows = 200
  const mostCells = 20

  const safeAddress = address => {
    try {
      const url = new URL(address, document.baseURI)
      return ['http:', 'https:', 'mailto:'].includes(url.protocol) ? url : undefined
    } catch {
      return undefined
    }
  }

  const entities = { amp: '&', lt: '<', gt: '>', quot: '"', apos: '\'', nbsp: '\u00a0' }
  const fenceOf = line => /^ {0,3}(`{3,}|~{3,})\s*([\w+#.-]*)/.exec(line)
  const mathOf = line => /^ {0,3}(\$\$|\\\[(?=\s*$|.*\\\]\s*$))/.exec(line)
  const itemOf = line => /^( {0,3})([-*+]|\d{1,9}[.)])( {1,4}|$)/.exec(line)
  const indentOf = line => /^ */.exec(line)[0].length
  // Models indent by two spaces also where CommonMark asks for three.
  const isInside = (line, first) => indentOf(line) >= indentOf(first) + 2
  const isDelimiter = line => line !== undefined && line.includes('-') && /^ {0,3}\|?[ :|-]+$/.test(line) && line.includes('|')
  const startsBlock = (line, next) =>
    /^ {0,3}(#{1,6}\s|>)/.test(line) || mathOf(line) || isRule(line) || fenceOf(line) || itemOf(line) || (line.includes('|') && isDelimiter(next))
  const isRule = line => /^ {0,3}([-*_])( *\1){2,} *$/.test(line)

  /** Cuts lines into blocks, each with its first line's number and its lines. The last one may grow when more text comes. */
  const blocksOf = lines => {
    const blocks = []
    let i = 0
    const take = (type, isPart) => {
      const first = i++
      while (i < lines.length && isPart(lines[i], first))
        i++
      blocks.push({ type, at: first, lines: lines.slice(first, i) })
    }

    while (i < lines.length) {
      const line = lines[i]
      const fence = fenceOf(line)
      if (line.trim() === '') {
        i++
      } else if (fence) {
        const close = new RegExp(`^ {0,3}${fence[1][0]}{${fence[1].length},} *$`)
        take('code', (part, first) => i - 1 === first || !close.test(lines[i - 1]))
      } else if (mathOf(line)) {
        const end = mathOf(line)[1] === '$$' ? '$$' : '\\]'
        const isWhole = line.trim().length > 2 && line.trimEnd().endsWith(end)
        take('math', (_, first) => !isWhole && (i - 1 === first || !lines[i - 1].trimEnd().endsWith(end)))
      } else if (/^ {0,3}#{1,6}\s/.test(line)) {
        take('heading', () => false)
      } else if (isRule(line)) {
        take('rule', () => false)
      } else if (/^ {0,3}>/.test(line)) {
        take('quote', part => part.trim() !== '' && (part.trimStart().startsWith('>') || !startsBlock(part)))
      } else if (itemOf(line)) {
        const isOrdered = /\d/.test(itemOf(line)[2])
        take('list', part => {
          if (part.trim() === '' || isInside(part, line))
            return true
          const item = itemOf(part)
          return item ? /\d/.test(item[2]) === isOrdered : lines[i - 1].trim() !== '' && !startsBlock(part)
        })
      } else if (line.includes('|') && isDelimiter(lines[i + 1])) {
        take('table', part => part.includes('|'))
      } else {
        take('paragraph', part => part.trim() !== '' && !startsBlock(part, lines[i + 1]))
      }
    }
    return blocks
  }

  const cellsOf = line => {
    const cells = ['']
    const text = line.trim().replace(/^\|/, '').replace(/(^|[^\\])\|$/, '$1')
    for (let i = 0; i < text.length; i++) {
      if (text[i] === '\\' && text[i + 1] === '|')
        cells[cells.length - 1] += text[++i]
      else if (text[i] === '|')
        cells.push('')
      else
        cells[cells.length - 1] += text[i]
    }
    return cells.slice(0, mostCells).map(cell => cell.trim())
  }

  const draw = {
    code: ({ lines }) => {
      const fence = fenceOf(lines[0])[1]
      const isClosed = lines.length > 1 && lines.at(-1).trim().startsWith(fence) && !lines.at(-1).trim().replaceAll(fence[0], '')
      return h('pre', { tabindex: '0', dir: 'ltr' }, h('code', {}, lines.slice(1, isClosed ? -1 : undefined).join('\n')))
    },
    math: ({ lines }) => h('pre', { class: 'math', tabindex: '0', dir: 'ltr' }, lines.join('\n').replace(/^\s*(\$\$|\\\[)|(\$\$|\\\])\s*$/g, '').trim()),
    heading: ({ lines }, make) => {
      const [, marks, text] = /^ {0,3}(#{1,6})\s+(.*?)\s*#*$/.exec(lines[0]) ?? [0, '#', lines[0]]
      return h('p', { role: 'heading', 'aria-level': String(Math.min(6, marks.length + 2)), class: 'heading' }, ...make.inline(text))
    },
    rule: () => h('hr'),
    quote: ({ lines }, make) => h('blockquote', { dir: directionOf(lines) }, ...make.blocks(lines.map(line => line.replace(/^ {0,3}> ?/, '')))),
    paragraph: ({ lines }, make) => h('p', { dir: 'auto' }, ...make.inline(lines.map(line => line.trimStart()).join('\n'))),
    list: ({ lines }, make) => {
      const items = []
      for (const line of lines) {
        const item = isInside(line, lines[0]) ? undefined : itemOf(line)
        if (item)
          items.push({ width: item[0].length, lines: [line.slice(item[0].length)] })
        else
          items.at(-1).lines.push(line.replace(new RegExp(`^ {0,${items.at(-1).width}}`), ''))
      }
      const number = parseInt(itemOf(lines[0])[2])
      const isTight = !/\n\s*\n/.test(lines.join('\n').trimEnd())
      return h(Number.isNaN(number) ? 'ul' : 'ol', { dir: directionOf(lines), class: isTight ? undefined : 'loose', start: number > 1 ? String(number) : undefined }, ...items.map(item => {
        const inside = make.blocks(item.lines)
        const isLine = isTight && inside[0]?.nodeName === 'P'
        return h('li', {}, ...(isLine ? inside[0].childNodes : []), ...inside.slice(isLine ? 1 : 0))
      }))
    },
    table: ({ lines }, make) => {
      const sides = cellsOf(lines[1]).map(cell => cell.endsWith(':') ? cell.startsWith(':') ? 'center' : 'right' : cell.startsWith(':') ? 'left' : undefined)
      const row = (line, cell) => h('tr', {}, ...cellsOf(line).map((text, i) =>
        h(cell, { dir: 'auto', scope: cell === 'th' ? 'col' : undefined, 'data-side': sides[i] }, ...make.inline(text))))
      const rows = lines.slice(2, 2 + mostRows).map(line => row(line, 'td'))
      return h('div', { class: 'table', dir: directionOf(lines), tabindex: '0', role: 'group' }, h('table', {}, h('thead', {}, row(lines[0], 'th')), h('tbody', {}, ...rows)))
    },
  }

  // On the service's own page the book's addresses lead nowhere: it is not published there.
  const isUnpublished = url => location.origin === service.origin && url.origin === service.origin

  const linkOf = (url, inside) => isUnpublished(url) ? h('span', {}, ...inside) : h('a', {
    href: url.href, rel: 'noopener nofollow', target: url.origin === location.origin ? undefined : '_blank', onclick: event => follow(event, url),
  }, ...inside)

  /**
   * @param cite Makes the link of a citation's number, or returns undefined where the answer has no such citation.
   * @param node Gives the page's own element for a tag such as <x id="3"/>.
   */
  const markdown = (cite, link = linkOf, node = () => undefined) => {
    const make = {
      depth: 0,
      blocks: lines => {
        if (make.depth >= deepest)
          return [document.createTextNode(lines.join('\n'))]
        make.depth++
        const drawn = blocksOf(lines).map(block => draw[block.type](block, make))
        make.depth--
        return drawn
      },
      inline: (text, depth = 0) => {
        const nodes = []
        let plain = ''
        const add = node => {
          if (plain)
            nodes.push(document.createTextNode(plain))
          plain = ''
          nodes.push(node)
        }
        const missing = new Set()
        // A run that is longer than the marker does not end it. A marker without an end is looked for once.
        const endOf = (mark, from) => {
          let end = missing.has(mark) ? -1 : text.indexOf(mark, from)
          while (end >= 0) {
            let run = mark.length
            while (text[end + run] === mark[0])
              run++
            if (run === mark.length)
              return end
            end = text.indexOf(mark, end + run)
          }
          missing.add(mark)
          return -1
        }

        for (let i = 0; i < text.length;) {
          const rest = text.slice(i, i + 2_000)
          const one = text[i]
          let found
          if ('\\$'.includes(one) && (found = /^(?:\\\(|\\\[|\$\$)([^\n`]{1,500}?)(?:\\\)|\\\]|\$\$)/.exec(rest) ?? /^\$(?=\S)((?:[^$\\\n]|\\.){1,500}?)(?<=\S)\$(?!\d)/.exec(rest))) {
            add(h('code', { class: 'math', dir: 'ltr' }, found[1].trim()))
          } else if (one === '\\' && (found = /^\\([!-/:-@[-`{-~])/.exec(rest))) {
            plain += found[1]
          } else if (one === '\n' || (one === '\\' && text[i + 1] === '\n') || (one === ' ' && rest.startsWith('  \n'))) {
            found = [one === '\n' ? '\n' : one === ' ' ? '  \n' : '\\\n']
            if (one === '\n')
              plain += ' '
            else
              add(h('br'))
          } else if (one === '&' && (found = /^&(amp|lt|gt|quot|apos|nbsp);/.exec(rest))) {
            plain += entities[found[1]]
          } else if (one === '&' && (found = /^&#(\d{1,6}|x[\da-f]{1,5});/i.exec(rest))) {
            const point = Number(`0${found[1].toLowerCase()}`.replace(/^0(?=\d)/, ''))
            plain += point > 31 && point < 0x110000 ? String.fromCodePoint(point) : '\ufffd'
          } else if (one === '`') {
            const ticks = /^`+/.exec(rest)[0]
            const end = endOf(ticks, i + ticks.length)
            found = [end < 0 ? ticks : text.slice(i, end + ticks.length)]
            if (end < 0)
              plain += ticks
            else
              add(h('code', { dir: 'auto' }, text.slice(i + ticks.length, end).replace(/^ (.*) $/s, '$1')))
          } else if (one === '[' && (found = /^\[(\d{1,3})\](?!\()/.exec(rest)) && cite(Number(found[1]))) {
            add(cite(Number(found[1])))
          } else if ((one === '[' || rest.startsWith('![')) && depth < deepest && (found = /^!?\[((?:[^[\]\\]|\\.){0,500})\]\(\s*<?((?:[^\s()<>\\]|\\.|\([^\s()]*\)){0,1500})>?(?:\s+["'][^"']*["'])?\s*\)/.exec(rest))) {
            const url = safeAddress(found[2].replace(/\\(.)/g, '$1'))
            const inside = make.inline(found[1], depth + 1)
            // Of an image its text is shown: nothing is loaded.
            if (url && one === '[')
              add(link(url, inside))
            else
              inside.forEach(add)
          } else if (one === '<' && (found = /^<((?:https?:\/\/|mailto:)[^\s<>]{1,1500})>/i.exec(rest)) && safeAddress(found[1])) {
            add(link(safeAddress(found[1]), [document.createTextNode(found[1])]))
          } else if (one === '<' && (found = /^<x id="(\d+)"\/>/.exec(rest)) && node(Number(found[1]))) {
            add(node(Number(found[1])))
          } else if ((found = /^(\*\*\*|\*\*|\*|~~|__|_)(?=\S)/.exec(rest)) && depth < deepest) {
            const mark = found[1]
            const isInWord = mark[0] === '_' && /\w/.test(text[i - 1] ?? '')
            const end = isInWord ? -1 : endOf(mark, i + mark.length + 1)
            const isSpaced = end > 0 && (/\s/.test(text[end - 1]) || (mark[0] === '_' && /\w/.test(text[end + mark.length] ?? '')))
            if (end < 0 || isSpaced) {
              plain += mark
            } else {
              const inside = make.inline(text.slice(i + mark.length, end), depth + 1)
              add(mark === '***' ? h('strong', {}, h('em', {}, ...inside)) : h(mark === '~~' ? 's' : mark.length === 2 ? 'strong' : 'em', {}, ...inside))
              found = [text.slice(i, end + mark.length)]
            }
          } else {
            found = /^[^\\\n&`$[!<*~_ ]+/.exec(rest) ?? [one]
            plain += found[0]
          }
          i += found[0].length
        }
        if (plain)
          nodes.push(document.createTextNode(plain))
        return nodes
      },
    }
    return make
  }

  /** Draws a text that grows: what is before its last block is drawn once. */
  class GrowingText {
    constructor(element, cite) {
      this.element = element
      this.make = markdown(cite)
      this.clear()
    }

    clear() {
      this.frozen = 0
      this.element.replaceChildren()
      this.open = []
    }

    show(text) {
      const lines = text.split('\n')
      // The last line may grow into a block of another kind, and the block before it may take it in.
      const settled = blocksOf(lines.slice(this.frozen, -1)).at(-1)?.at ?? 0
      this.open.forEach(node => node.remove())
      this.open = []
      for (const block of blocksOf(lines.slice(this.frozen))) {
        const node = draw[block.type](block, this.make)
        this.element.append(node)
        if (block.at >= settled)
          this.open.push(node)
      }
      this.frozen += settled
    }
  }

  const plainOf = text => {
    const element = h('div')
    element.append(...markdown(() => document.createTextNode('')).blocks(text.split('\n')))
    return element.textContent
  }

  // ---- The service ----

  class Refusal extends Error {
    /** @param problem The problem that the service answered with (RFC 9457), or what stands for it where there was no answer. */
    constructor(problem, status = 0, wait = 0) {
      super(problem.detail ?? problem.code)
      this.code = problem.code
      this.status = problem.status ?? status
      this.wait = problem.retry_after_seconds ?? wait
      // A proxy answers 502 to 504 while a service starts again.
      this.canPass = ['offline', 'dropped', 'server_stopping'].includes(this.code) || (status >= 502 && status <= 504 && this.code !== 'model_unavailable')
    }
  }

  const newId = () => {
    const bytes = crypto.getRandomValues(new Uint8Array(16))
    bytes[6] = (bytes[6] & 15) | 64
    bytes[8] = (bytes[8] & 63) | 128
    return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
  }

  const tokenOf = async isAgain => {
    try {
      return await window.chatbackend?.token?.({ isAgain })
    } catch (error) {
      console.error('ChatBackend: window.chatbackend.token failed, so the reader is anonymous.', error)
      return undefined
    }
  }

  const reaches = mode => fetch(new URL('health', service), { mode, cache: 'no-store', credentials: 'omit' }).then(() => true, () => false)

  /** A browser does not tell a page why a request failed; two probes do. */
  const whyUnreachable = async () => {
    if (await reaches('cors'))
      return new Refusal({ code: 'dropped' })
    if (!await reaches('no-cors'))
      return new Refusal({ code: 'offline' })
    console.error(`ChatBackend: the service at ${service.origin} refuses this site. Add ${location.origin} to its FRONTEND_URL.`)
    return new Refusal({ code: 'origin_refused' })
  }

  const call = async (method, path, { body, accept = 'application/json', headers, signal } = {}) => {
    const send = async isAgain => {
      const token = await tokenOf(isAgain)
      return fetch(new URL(path, service), {
        method, signal, credentials: 'omit', body: body && JSON.stringify(body),
        headers: { accept, ...(body && { 'content-type': 'application/json' }), ...(token && { authorization: `Bearer ${token}` }), ...headers },
      })
    }
    let response
    try {
      response = await send(false)
      if (response.status === 401 && window.chatbackend?.token)
        response = await send(true)
    } catch (error) {
      throw signal?.aborted ? error : await whyUnreachable()
    }
    if (response.ok)
      return response
    // A proxy's answer need not be a problem.
    const problem = await response.json().catch(() => ({}))
    throw new Refusal(problem, response.status, Number(response.headers.get('retry-after')))
  }

  const longestSilence = 45_000

  /** The events of a stream (WHATWG HTML, 9.2). It ends without an error when the connection drops. */
  async function* eventsOf(response) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    try {
      while (true) {
        let timer
        const silence = new Promise((_, reject) => timer = setTimeout(() => reject(new Refusal({ code: 'dropped' })), longestSilence))
        const { done, value } = await Promise.race([reader.read(), silence]).finally(() => clearTimeout(timer))
        if (done)
          return
        const parts = (text + value).split(/\r?\n\r?\n/)
        text = parts.pop()
        for (const part of parts) {
          const event = { id: undefined, event: 'message', data: '' }
          for (const [, field, content] of part.matchAll(/^(id|event|data): ?(.*)$/gm))
            event[field] = field === 'data' && event.data ? `${event.data}\n${content}` : content
          if (event.data)
            yield { ...event, data: JSON.parse(event.data) }
        }
      }
    } catch (error) {
      throw error instanceof Refusal ? error : new Refusal({ code: 'dropped' })
    } finally {
      reader.cancel().catch(() => undefined) // It may have failed already.
    }
  }

  const stream = 'text/event-stream'
  const pause = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds))
  const page = () => location.origin + location.pathname

  const sentenceOf = (error, unavailable = 'unavailable') => {
    const sentences = {
      offline: 'offline', dropped: 'offline', origin_refused: 'refused', budget_spent: 'spent', rate_limited: 'limited', session_not_found: 'gone', turn_not_found: 'gone',
    }
    const key = sentences[error.code] ?? (error.status === 401 ? 'signin' : error.status === 429 ? 'limited' : error.status >= 500 ? unavailable : undefined)
    return key ? t(key, { seconds: String(error.wait || 1) }) : error.status === 400 && error.message ? error.message : t('failed')
  }

  // ---- Where a link leads ----

  const isNarrow = matchMedia('(max-width: 600px)')
  const isStill = matchMedia('(prefers-reduced-motion: reduce)')
  const isPage = url => url.origin === location.origin && url.pathname.replace(/\/$/, '') === location.pathname.replace(/\/$/, '')

  const follow = (event, url) => {
    if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || url.origin !== location.origin)
      return
    event.preventDefault()
    goTo(url)
  }

  const goTo = url => {
    if (isNarrow.matches)
      panel.close()
    if (isPage(url)) {
      if (url.hash !== location.hash)
        location.hash = url.hash
    } else if (window.docusaurus) {
      // React Router follows the browser's history, so a page changes without a reload.
      history.pushState({ key: newId().slice(0, 8) }, '', url)
      dispatchEvent(new PopStateEvent('popstate', { state: history.state }))
    } else {
      location.assign(url)
      return
    }
    showHeading(url)
  }

  const showHeading = async url => {
    if (!url.hash)
      return
    const id = decodeURIComponent(url.hash.slice(1))
    let heading
    for (let i = 0; i < 60 && !(heading = document.getElementById(id)); i++)
      await pause(50)
    if (!heading || !isPage(url))
      return
    heading.scrollIntoView({ block: 'start' })
    heading.animate([{ backgroundColor: 'color-mix(in srgb, var(--ifm-color-primary, #2f6feb) 35%, transparent)' }, { backgroundColor: 'transparent' }],
      { duration: 2_500, easing: isStill.matches ? 'steps(1, end)' : 'ease-in' })
  }

  const addressOf = item => safeAddress(item.url)
  const nameOfPlace = item => item.heading && item.heading !== item.title ? `${item.title} › ${item.heading}` : item.title

  const linkTo = (item, attributes, ...children) => {
    const url = addressOf(item)
    return url && !isUnpublished(url)
      ? h('a', { href: url.href, onclick: event => follow(event, url), ...attributes }, ...children)
      : h('button', { type: 'button', onclick: () => panel.showPassage(item), ...attributes }, ...children)
  }

  // ---- A question and its answer ----

  class Turn {
    constructor({ question, selectedText, id, messageId, answer, citations = [], grounding, isStopped, isIncomplete, rating, note }) {
      Object.assign(this, { question, selectedText, id, messageId, citations, grounding, rating })
      this.text = answer ?? ''
      this.spoken = 0
      this.body = h('div', { class: 'answer', dir: 'auto' })
      this.state = h('p', { class: 'state' })
      this.footer = h('div', { class: 'footer' })
      this.element = h('article', { class: 'turn' },
        h('h3', { class: 'question', dir: 'auto' }, h('span', { class: 'hidden', dir: host.dir }, `${t('you')}: `), question),
        selectedText && h('blockquote', { class: 'selection', dir: 'auto' }, selectedText), this.body, this.state, this.footer)
      this.growing = new GrowingText(this.body, number => this.cite(number))
      this.cut = isStopped ? t('stopped') : isIncomplete ? t('cut') : undefined
      if (answer !== undefined)
        this.finish()
      else if (note)
        this.fail(new Refusal({ detail: note, status: 400 }), true)
    }

    cite(number) {
      const citation = this.citations.find(c => c.number === number)
      return citation && linkTo(citation, { class: 'cite', 'aria-label': `${number}: ${nameOfPlace(citation)}`, title: nameOfPlace(citation) }, String(number))
    }

    /** Reads the turn's events to its end. A stream that drops is taken up where it ended; a question that may not have arrived is sent again with its key. */
    async run() {
      let waits = 0
      this.isRunning = true
      delete this.element.dataset.grounding
      this.footer.replaceChildren()
      this.say(t('searching'))
      panel.update()
      try {
        while (this.isRunning) {
          try {
            const response = await (this.id ? call('GET', `chat/turns/${this.id}/events`, { accept: stream, headers: this.cursor && { 'last-event-id': this.cursor } }) : this.post())
            for await (const event of eventsOf(response)) {
              waits = 0
              this.take(event)
              if (!this.isRunning)
                return
            }
          } catch (error) {
            if (!error.canPass || ++waits > (this.id ? 7 : 2))
              throw error
          }
          this.say(t('waiting'))
          await pause(Math.min(8_000, 200 * 2 ** waits))
        }
      } catch (error) {
        this.fail(error, error.hasEnded)
      } finally {
        this.isRunning = false
        panel.update()
      }
    }

    take({ id, event, data }) {
      this.cursor = id
      if (event === 'turn') {
        this.id = data.turn_id
        this.text = ''
        this.spoken = 0
        this.growing.clear()
        panel.tell(data.session_id)
        if (this.isToStop)
          panel.stop()
      } else if (event === 'citations') {
        this.citations = data.citations
        this.growing.clear()
        this.say(t('writing'))
        this.drawSoon()
      } else if (event === 'delta') {
        this.text += data.text
        this.drawSoon()
      } else if (event === 'completed' || event === 'stopped') {
        const isStopped = event === 'stopped'
        Object.assign(this, { text: data.response, citations: data.citations, grounding: isStopped ? undefined : data.grounding, messageId: data.message_id })
        this.cut = isStopped ? t('stopped') : data.incomplete ? t('cut') : undefined
        this.finish()
      } else if (event === 'error') {
        // Only the id of the last event says that the turn itself has ended.
        const hasEnded = Boolean(id?.endsWith('.end'))
        throw Object.assign(new Refusal(hasEnded ? data : { ...data, code: 'dropped' }), { hasEnded })
      }
    }

    drawSoon() {
      this.frame ??= requestAnimationFrame(() => {
        this.frame = undefined
        if (this.isRunning)
          this.draw()
      })
    }

    draw() {
      panel.keepAtEnd(() => this.growing.show(this.text))
      // Whole sentences are spoken, not pieces of words.
      const end = Math.max(...['. ', '.\n', '? ', '! ', '۔', '。', '\n\n'].map(mark => this.text.lastIndexOf(mark))) + 1
      if (this.isRunning && end > this.spoken) {
        panel.speak(plainOf(this.text.slice(this.spoken, end)))
        this.spoken = end
      }
    }

    finish() {
      const wasRunning = this.isRunning
      panel.keepAtEnd(() => {
        // The answer that is stored may differ from what was streamed. While it is drawn anew the reader stays where they are.
        const { scrollTop } = panel.log
        this.growing.clear()
        this.growing.show(this.text)
        panel.log.scrollTop = scrollTop
      })
      this.isRunning = false
      if (wasRunning)
        panel.speak(plainOf(this.text.slice(this.spoken)))
      const verdict = this.grounding === 'partial' ? t('partial') : this.grounding === 'none' ? t('nothing') : ''
      this.element.dataset.grounding = this.grounding ?? ''
      this.say([verdict, this.cut].filter(Boolean).join(' '))
      const sources = h('ol', { class: 'sources', 'aria-label': t('sources') },
        ...this.citations.map(citation => h('li', { value: String(citation.number) }, linkTo(citation, { dir: 'auto' }, nameOfPlace(citation)))))
      panel.keepAtEnd(() => this.footer.replaceChildren(...(this.citations.length ? [sources] : []), this.actions()))
      panel.update()
    }

    actions() {
      const rate = async rating => {
        const pressed = [good, bad].map(button => button.getAttribute('aria-pressed'))
        try {
          await this.sendFeedback(rating)
          mark()
          this.askForComment(actions)
        } catch (error) {
          [good, bad].forEach((button, i) => button.setAttribute('aria-pressed', pressed[i]))
          panel.speak(sentenceOf(error))
          this.say(sentenceOf(error))
        }
      }
      const mark = () => [[good, 'up'], [bad, 'down']].forEach(([button, rating]) => button.setAttribute('aria-pressed', String(this.rating === rating)))
      const good = iconButton('up', t('good'), () => rate('up'))
      const bad = iconButton('down', t('bad'), () => rate('down'))
      mark()
      const copy = navigator.clipboard && iconButton('copy', t('copy'), async () => {
        const sources = this.citations.map(c => `[${c.number}] ${nameOfPlace(c)}: ${addressOf(c)?.href ?? c.url}`)
        await navigator.clipboard.writeText([this.text, ...sources].join('\n'))
        panel.speak(t('copied'))
        copy.setAttribute('aria-label', t('copied'))
      })
      const again = this.id && iconButton('again', t('again'), () => panel.askAgain(this))
      const actions = h('div', { class: 'actions' }, copy, again, this.messageId && good, this.messageId && bad)
      return actions
    }

    async sendFeedback(rating, comment) {
      await call('PUT', `chat/messages/${this.messageId}/feedback`, { body: { rating, comment } })
      this.rating = rating
    }

    askForComment(actions) {
      const input = h('input', { type: 'text', maxlength: '2000', 'aria-label': t('comment'), placeholder: t('comment'), dir: 'auto' })
      const form = h('form', {
        class: 'comment', onsubmit: async event => {
          event.preventDefault()
          try {
            await this.sendFeedback(this.rating, input.value.trim() || undefined)
            form.replaceChildren(t('thanks'))
            panel.speak(t('thanks'))
          } catch (error) {
            this.say(sentenceOf(error))
          }
        },
      }, input, h('button', { type: 'submit' }, t('sendComment')))
      this.footer.querySelector('.comment')?.remove()
      actions.after(form)
      input.focus()
    }

    /** Shows why there is no answer, and counts the seconds down where the service named them. */
    fail(error, hasEnded) {
      this.isRunning = false
      this.element.dataset.grounding = 'failed'
      const retry = h('button', { type: 'button', class: 'retry', onclick: () => this.retry(error, hasEnded) }, t('retry'))
      const show = () => {
        this.say(sentenceOf(error, 'later'))
        retry.disabled = error.code === 'rate_limited' && error.wait > 0
      }
      show()
      panel.speak(this.state.textContent)
      this.footer.replaceChildren(retry)
      if (error.code !== 'rate_limited')
        return
      const timer = setInterval(() => {
        error.wait--
        show()
        if (error.wait <= 0) {
          clearInterval(timer)
          this.say('')
        }
      }, 1_000)
    }

    retry(error, hasEnded) {
      if (panel.running)
        return undefined
      if (error.code === 'session_not_found' || error.code === 'turn_not_found') {
        panel.begin()
        return panel.ask(this.question, this.selectedText)
      }
      // A turn that failed is replaced. If there are others after it, they stay, and it is asked at the end.
      if (hasEnded)
        return panel.turns.at(-1) === this ? panel.askAgain(this) : panel.ask(this.question, this.selectedText)
      return this.run()
    }

    say(sentence) {
      this.state.textContent = sentence
    }
  }

  // ---- The panel: search and conversation in one place ----

  const key = 'chatbackend-session'
  // Where a browser gives a page no storage, the conversation lasts as long as the page.
  const storage = (() => {
    try {
      localStorage.getItem(key)
      return localStorage
    } catch {
      const values = {}
      return { getItem: name => values[name], setItem: (name, value) => values[name] = value, removeItem: name => delete values[name] }
    }
  })()
  const channel = new BroadcastChannel('chatbackend')

  const panel = {
    turns: [],
    isOpen: false,

    get session() {
      return storage.getItem(key) ?? undefined
    },

    set session(id) {
      if (id)
        storage.setItem(key, id)
      else
        storage.removeItem(key)
    },

    get running() {
      return this.turns.find(turn => turn.isRunning)
    },

    /** Built when it is opened for the first time: a page that nobody asks costs nothing. */
    build() {
      this.input = h('textarea', {
        rows: '1', maxlength: '4000', dir: 'auto', 'aria-label': t('ask'), 'aria-autocomplete': 'list', 'aria-controls': 'suggestions',
        placeholder: option('placeholder') ?? t('placeholder'), oninput: () => this.typed(), onkeydown: event => this.keyed(event),
      })
      this.send = h('button', { type: 'submit', class: 'send' })
      this.chip = h('div', { class: 'chip', hidden: true })
      this.suggestions = h('div', { id: 'suggestions', role: 'listbox', 'aria-label': t('matching'), hidden: true, onclick: () => this.empty() })
      this.log = h('div', { class: 'log', tabindex: '0', role: 'region', 'aria-label': this.title })
      this.list = iconButton('list', t('list'), () => this.showConversations(), { hidden: true })
      this.bin = iconButton('trash', t('remove'), () => this.confirmDelete())
      this.fresh = iconButton('plus', t('fresh'), () => this.begin())
      this.live = h('div', { class: 'hidden', role: 'status', 'aria-live': 'polite' })
      this.element = h('section', { class: 'panel', role: 'dialog', 'aria-label': this.title, hidden: true, onpointerenter: () => this.refresh(), onkeydown: event => event.key === 'Escape' && this.close() },
        h('header', {}, h('h2', {}, this.title), this.list, this.bin, this.fresh, iconButton('close', t('close'), () => this.close())),
        this.log,
        h('form', {
          onsubmit: event => {
            event.preventDefault()
            if (this.running)
              this.stop()
            else
              this.submit()
          },
        }, this.chip, this.suggestions, h('div', { class: 'line' }, this.input, this.send)), this.live)
      root.append(this.element)
      if (!this.session)
        this.welcome()
      this.update()
    },

    get title() {
      return option('title') ?? t('title')
    },

    open(selection) {
      if (!this.element)
        this.build()
      this.opener = document.activeElement
      this.element.hidden = false
      corner.hidden = true
      launcher.setAttribute('aria-expanded', 'true')
      if (selection)
        this.select(selection)
      this.input.focus()
      if (this.isOpen)
        return undefined
      this.isOpen = true
      return this.load()
    },

    close() {
      this.isOpen = false
      this.element.hidden = true
      corner.hidden = false
      launcher.setAttribute('aria-expanded', 'false')
      const opener = this.opener?.isConnected && ![document.body, host].includes(this.opener) ? this.opener : launcher
      opener.focus()
    },

    welcome() {
      const examples = (book.questions ?? []).slice(0, 3).map(question =>
        h('button', { type: 'button', dir: 'auto', onclick: () => this.ask(question) }, question))
      this.log.replaceChildren(h('div', { class: 'welcome' }, h('p', { dir: 'auto' }, t('hello')), ...(examples.length ? [h('p', {}, t('try')), ...examples] : [])))
    },

    /** Shows what can be done now. */
    update() {
      const isRunning = Boolean(this.running)
      this.send.replaceChildren(icon(isRunning ? 'stop' : 'send'))
      this.send.setAttribute('aria-label', t(isRunning ? 'stop' : 'send'))
      this.send.title = t(isRunning ? 'stop' : 'send')
      this.bin.hidden = this.fresh.hidden = !this.session || this.turns.length === 0
      this.log.setAttribute('aria-busy', String(isRunning))
    },

    speak(sentence) {
      this.live.append(h('p', {}, sentence))
      if (this.live.children.length > 20)
        this.live.firstChild.remove()
    },

    keepAtEnd(change) {
      const isAtEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 60
      change()
      if (isAtEnd)
        this.toEnd()
    },

    /** Scrolls to the end, but not past the last question: an answer is read from its beginning. */
    toEnd() {
      const last = this.turns.at(-1)?.element
      const way = last && last.getBoundingClientRect().top - this.log.getBoundingClientRect().top - 12
      this.log.scrollTop += way >= -8 ? way : this.log.scrollHeight
    },

    /** Says what went wrong where the conversation would be. */
    notice(error, retry) {
      const notice = h('div', { class: 'confirm notice' }, h('p', { dir: 'auto' }, sentenceOf(error)),
        h('button', { type: 'button', onclick: () => { notice.remove(); retry() } }, t('retry')))
      this.log.querySelector('.notice')?.remove()
      this.log.append(notice)
      notice.scrollIntoView({ block: 'nearest' })
      this.speak(sentenceOf(error))
    },

    add(turn) {
      this.log.querySelector('.welcome')?.remove()
      this.turns.push(turn)
      this.log.append(turn.element)
      this.toEnd()
    },

    // -- Asking --

    submit() {
      const active = this.suggestions.querySelector('[aria-selected=true]')
      const question = this.input.value.trim()
      if (active)
        active.click()
      else if (question)
        this.ask(question, this.selectedText)
    },

    ask(question, selectedText) {
      if (this.running)
        return
      this.session ??= newId()
      this.empty()
      this.select()
      const turn = new Turn({ question, selectedText })
      this.add(turn)
      const headers = { 'idempotency-key': newId() }
      const body = { message: question, session_id: this.session, selected_text: selectedText, page_url: page() }
      turn.post = () => call('POST', 'chat', { body, accept: stream, headers })
      return turn.run()
    },

    askAgain(turn) {
      if (this.running)
        return
      const at = this.turns.indexOf(turn)
      this.turns.splice(at).forEach(old => old.element.remove())
      const { id, question, selectedText } = turn
      const next = new Turn({ question, selectedText })
      this.add(next)
      const headers = { 'idempotency-key': newId() }
      next.post = () => call('POST', `chat/turns/${id}/regenerate`, { accept: stream, headers })
      return next.run()
    },

    async stop() {
      const turn = this.running
      turn.isToStop = true
      // It is stopped when the service has named it.
      if (!turn.id)
        return
      try {
        // The stream ends by itself, with what was written.
        await call('POST', `chat/turns/${turn.id}/stop`)
      } catch (error) {
        this.speak(sentenceOf(error))
        turn.say(sentenceOf(error))
      }
    },

    /** Tells the other tabs that there is a question in this conversation. */
    tell(session) {
      channel.postMessage(session)
    },

    // -- The conversation --

    /** Reads the conversation, and follows an answer that is being written. */
    async load() {
      if (this.running)
        return
      const token = await tokenOf(false)
      this.isSignedIn = Boolean(token)
      this.list.hidden = !token
      if (!this.session)
        return
      try {
        // Signing in takes the conversation along.
        if (token && this.claimed !== this.session) {
          await call('POST', `chat/sessions/${this.session}/claim`)
          this.claimed = this.session
        }
        const newest = await this.page()
        // The reader may have asked meanwhile.
        if (!this.running)
          this.show(newest)
      } catch (error) {
        if (error.code !== 'session_not_found')
          this.notice(error, () => this.load())
        // Deleted elsewhere, or of a reader who has signed out. Before its first question has arrived a conversation is not known either.
        else if (this.turns.length === 0 || this.turns.some(turn => turn.id))
          this.begin()
      }
    },

    /** Looks whether the reader has signed in or out meanwhile. */
    async refresh() {
      if (this.isOpen && !this.running && Boolean(await tokenOf(false)) !== this.isSignedIn)
        await this.load()
    },

    /** The newest messages of the conversation, or those before them. */
    async page(cursor) {
      return (await call('GET', `chat/sessions/${this.session}/messages?limit=100${cursor ? `&cursor=${cursor}` : ''}`)).json()
    },

    show({ items, next_cursor: cursor }) {
      const unsent = this.turns.filter(turn => !turn.id && !items.some(message => message.content === turn.question))
      this.turns = []
      this.welcome()
      const turns = this.turnsOf(items);
      [...turns, ...unsent].forEach(turn => this.add(turn))
      turns.filter(turn => turn.isUnanswered).forEach(turn => turn.run())
      this.offerEarlier(cursor)
      this.update()
    },

    /** The turns of a page. Messages whose question is on the page before it wait for that page. */
    turnsOf(messages) {
      const turns = messages.reduce((all, m) => all.set(m.turn_id, [...all.get(m.turn_id) ?? [], m]), new Map())
      const isWhole = parts => parts.some(m => m.role === 'user')
      this.halves = [...turns.values()].filter(parts => !isWhole(parts)).flat()
      return [...turns].filter(([, parts]) => isWhole(parts)).map(([id, parts]) => {
        const answer = parts.find(m => m.role === 'assistant')
        return Object.assign(new Turn({
          id, question: parts.find(m => m.role === 'user').content, answer: answer?.content, citations: answer?.citations, grounding: answer?.grounding,
          messageId: answer?.message_id, isStopped: answer?.is_stopped, isIncomplete: answer?.is_incomplete, rating: answer?.rating, note: parts.find(m => m.role === 'system')?.content,
        }), { isUnanswered: parts.length === 1 })
      })
    },

    offerEarlier(cursor) {
      if (cursor)
        this.log.prepend(h('button', { type: 'button', class: 'earlier', onclick: () => this.showEarlier(cursor) }, t('earlier')))
    },

    /** Puts the turns of the page before above the others; what the reader sees stays where it is. */
    async showEarlier(cursor) {
      const button = this.log.querySelector('.earlier')
      if (!button)
        return
      try {
        const { items, next_cursor: next } = await this.page(cursor)
        // The reader may have pressed twice, or gone to another conversation.
        if (!button.isConnected)
          return
        const turns = this.turnsOf([...items, ...this.halves])
        const newer = button.nextSibling
        const top = newer.getBoundingClientRect().top
        button.replaceWith(...turns.map(turn => turn.element))
        this.turns.unshift(...turns)
        this.offerEarlier(next)
        this.log.scrollTop += newer.getBoundingClientRect().top - top
        this.log.focus({ preventScroll: true })
      } catch (error) {
        if (button.isConnected)
          this.notice(error, () => this.showEarlier(cursor))
      }
    },

    /** Begins a new conversation; the old one stays where it is stored. */
    begin(session) {
      this.session = session
      this.turns = []
      this.welcome()
      this.update()
      this.input.focus()
    },

    confirmDelete() {
      const remove = async () => {
        try {
          await call('DELETE', `chat/sessions/${this.session}`)
          channel.postMessage(this.session)
          this.begin()
        } catch (error) {
          question.replaceChildren(sentenceOf(error))
        }
      }
      const question = h('div', { class: 'confirm', role: 'group' }, h('p', {}, t('sure')),
        h('button', { type: 'button', onclick: remove }, t('remove')), h('button', { type: 'button', onclick: () => question.remove() }, t('back')))
      this.log.querySelector('.confirm')?.remove()
      this.log.append(question)
      question.scrollIntoView({ block: 'nearest' })
      question.querySelector('button').focus()
    },

    async showConversations() {
      try {
        const { items } = await (await call('GET', 'chat/sessions')).json()
        const rows = items.map(item => h('button', {
          type: 'button', dir: 'auto', onclick: () => {
            this.begin(item.session_id)
            this.load()
          },
        }, item.title))
        this.turns = []
        this.log.replaceChildren(h('div', { class: 'welcome' }, h('p', {}, rows.length ? t('list') : t('none')), ...rows,
          h('button', { type: 'button', onclick: () => { this.begin(this.session); this.load() } }, t('back'))))
      } catch (error) {
        this.notice(error, () => this.showConversations())
      }
    },

    /** A passage of a book that is not published anywhere. A citation comes with its beginning, a heading without any text. */
    async showPassage(item) {
      const text = h('blockquote', { dir: 'auto' })
      const draw = markdownText => text.replaceChildren(...markdown(() => undefined).blocks(markdownText.split('\n')))
      draw(item.snippet ?? t('searching'))
      const passage = h('div', { class: 'passage', tabindex: '-1' }, h('h3', { dir: 'auto' }, nameOfPlace(item)), text,
        h('button', { type: 'button', onclick: () => { passage.remove(); this.input.focus() } }, t('back')))
      this.log.querySelector('.passage')?.remove()
      this.log.append(passage)
      passage.scrollIntoView({ block: 'nearest' })
      passage.focus()
      try {
        const { passages } = await (await call('GET', `search?limit=20&q=${encodeURIComponent(`${item.title} ${item.heading}`)}`)).json()
        draw(passages.filter(found => found.url === item.url).map(found => found.text).join('\n\n') || (item.snippet ?? t('nothing')))
        passage.scrollIntoView({ block: 'nearest' })
      } catch (error) {
        if (item.snippet === undefined)
          text.textContent = sentenceOf(error)
      }
    },

    select(text) {
      this.selectedText = text
      this.chip.hidden = !text
      this.chip.replaceChildren(...(text ? [h('span', { dir: 'auto' }, `${t('selected')}: ${text.slice(0, 120)}${text.length > 120 ? '…' : ''}`), iconButton('close', t('drop'), () => this.select())] : []))
    },

    // -- Headings that match what is typed --

    typed() {
      clearTimeout(this.timer)
      this.input.style.height = 'auto'
      this.input.style.height = `${Math.min(160, this.input.scrollHeight)}px`
      const query = this.input.value.trim()
      if (query.length < 2 || query.length > 100)
        return this.suggest([])
      this.timer = setTimeout(async () => {
        this.asking?.abort()
        this.asking = new AbortController()
        const { signal } = this.asking
        try {
          const { headings } = await (await call('GET', `search/suggest?q=${encodeURIComponent(query)}`, { signal })).json()
          if (this.input.value.trim() === query)
            this.suggest(headings)
        } catch (error) {
          // A newer text has taken its place; without suggestions the question can still be asked.
          if (!signal.aborted)
            this.suggest([])
        }
      }, 80)
    },

    empty() {
      this.input.value = ''
      this.input.style.height = 'auto'
      this.suggest([])
    },

    suggest(headings) {
      this.suggestions.hidden = headings.length === 0
      this.suggestions.replaceChildren(...headings.map((heading, i) => linkTo(heading, { role: 'option', id: `suggestion-${i}`, 'aria-selected': 'false', tabindex: '-1', dir: 'auto' },
        h('span', {}, heading.heading), heading.heading !== heading.title && h('small', {}, heading.title))))
      this.input.removeAttribute('aria-activedescendant')
      if (headings.length)
        this.speak(t('headings', { count: String(headings.length) }))
    },

    keyed(event) {
      const options = [...this.suggestions.children]
      const at = options.findIndex(o => o.getAttribute('aria-selected') === 'true')
      if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
        event.preventDefault()
        this.submit()
      } else if ((event.key === 'ArrowDown' || event.key === 'ArrowUp') && options.length) {
        event.preventDefault()
        const step = event.key === 'ArrowDown' ? 1 : -1
        // One place more than there are options: the question itself.
        const next = (at + 1 + step + options.length + 1) % (options.length + 1) - 1
        options.forEach((o, i) => o.setAttribute('aria-selected', String(i === next)))
        if (next < 0)
          this.input.removeAttribute('aria-activedescendant')
        else
          this.input.setAttribute('aria-activedescendant', options[next].id)
        options[next]?.scrollIntoView({ block: 'nearest' })
      } else if (event.key === 'Escape' && options.length) {
        event.stopPropagation()
        this.suggest([])
      }
    },
  }

  channel.onmessage = ({ data }) => {
    if (panel.isOpen && data === panel.session)
      panel.load()
    // The tab that deleted the conversation has removed its id, too.
    else if (panel.isOpen && !panel.session && !panel.running)
      panel.begin()
  }

  // ---- Text that the reader selects ----

  const longestSelection = 8_000

  const offerSelection = () => {
    const selection = document.getSelection()
    const text = selection?.toString().trim() ?? ''
    const place = selection?.rangeCount && selection.getRangeAt(0).getBoundingClientRect()
    const isField = document.activeElement?.matches?.('input, textarea, [contenteditable]')
    about.hidden = text.length < 3 || !place || place.width === 0 || isField || host.contains(selection.anchorNode)
    if (about.hidden)
      return
    const width = 170
    about.style.left = `${Math.max(8, Math.min(innerWidth - width - 8, place.left + place.width / 2 - width / 2))}px`
    about.style.top = `${place.bottom + 44 < innerHeight ? place.bottom + 8 : Math.max(8, place.top - 44)}px`
    about.onclick = () => {
      about.hidden = true
      panel.open(text.slice(0, longestSelection))
    }
  }

  // ---- A page in another language: its own blocks, translated in place ----

  const article = () => ['.theme-doc-markdown', 'article .markdown', 'article', 'main'].map(name => document.querySelector(name)).find(Boolean)
  const blockNames = 'h1, h2, h3, h4, h5, h6, p, li, td, th, dt, dd, figcaption, summary, [class*="admonitionHeading"]'
  const notProse = 'pre, nav, button, svg, math, .katex, [role="tab"], [class*="tocCollapsible"], [class*="breadcrumb"]'
  const escaped = text => text.replace(/\s+/g, ' ').replace(/[\\`*_{}[\]<>|$~]|&(?=#?\w+;)/g, '\\$&')

  /** A block of the page as Markdown. Links keep their elements; every other element inside it travels as a tag. */
  class PageBlock {
    constructor(element) {
      Object.assign(this, { element, links: [], nodes: [], tail: [], nodesBefore: [...element.childNodes], dir: element.getAttribute('dir'), lang: element.getAttribute('lang') })
      const level = /^h([1-6])$/i.exec(element.localName)?.[1]
      const text = this.write(element).trim().replace(/^(#{1,6}(?= )|[-+>=]|\d{1,9}(?=[.)]))/, '\\$1').replace(/^\\(?=\d)/, '')
      this.text = level ? `${'#'.repeat(Number(level))} ${text}` : text.replace(/^(\d{1,9})([.)])(?= )/, '$1\\$2')
      this.isProse = /\p{L}{2}/u.test(text.replace(/<x id="\d+"\/>|`[^`]*`|\]\([^)]*\)/g, ''))
    }

    write(element) {
      return Array.from(element.childNodes, node => {
        if (node.nodeType === Node.TEXT_NODE)
          return escaped(node.data)
        if (node.nodeType !== Node.ELEMENT_NODE)
          return ''
        if (node.matches('.hash-link')) {
          this.tail.push(node)
          return ''
        }
        if (node.matches('code:not(:has(*))') && !node.textContent.includes('`') && node.textContent.trim())
          return `\`${node.textContent}\``
        const before = [this.links.length, this.nodes.length]
        const inside = this.write(node)
        if (node.matches('a[href]') && !/[\s()<>]/.test(node.getAttribute('href')) && inside.trim()) {
          this.links.push(node)
          return `[${inside}](${node.getAttribute('href')})`
        }
        if (node.matches('strong, b, em, i') && /^\S(.*\S)?$/s.test(inside)) {
          const mark = node.matches('em, i') ? '*' : '**'
          return mark + inside + mark
        }
        // What is in it comes back with it.
        [this.links.length, this.nodes.length] = before
        this.nodes.push(node)
        return `<x id="${this.nodes.length - 1}"/>`
      }).join('')
    }

    show(markdownText, code) {
      const links = [...this.links]
      const link = (url, inside) => {
        const at = links.findIndex(a => a.href === url.href)
        if (at < 0)
          return linkOf(url, inside)
        const [own] = links.splice(at, 1)
        own.replaceChildren(...inside)
        return own
      }
      this.linksBefore ??= this.links.map(a => [a, [...a.childNodes]])
      const text = markdownText.trim().replace(/^#{1,6}\s+/, '')
      this.element.replaceChildren(...markdown(() => undefined, link, id => this.nodes[id]).inline(text), ...this.tail)
      this.element.setAttribute('lang', code)
      this.element.setAttribute('dir', isRightToLeft(code) ? 'rtl' : 'ltr')
    }

    restore() {
      this.linksBefore?.forEach(([a, children]) => a.replaceChildren(...children))
      this.element.replaceChildren(...this.nodesBefore)
      for (const name of ['dir', 'lang'])
        this[name] === null ? this.element.removeAttribute(name) : this.element.setAttribute(name, this[name])
    }
  }

  const reading = {
    buttons: [],

    build() {
      const codes = (option('translate') ?? '').split(',').map(code => code.trim()).filter(Boolean)
      this.buttons = codes.map(code => h('button', { type: 'button', class: 'language', 'data-code': code, onclick: () => this.press(code) },
        icon('language'), h('span', { dir: 'auto', 'aria-live': 'polite' })))
      this.update()
      return this.buttons
    },

    update(sentence) {
      for (const button of this.buttons) {
        const { code } = button.dataset
        const isShown = this.code === code
        const label = isShown ? sentence ?? t('original') : t('translate', { language: nameOf(code) })
        button.lastChild.textContent = label
        button.setAttribute('aria-pressed', String(isShown))
        button.hidden = !article() || document.documentElement.lang.split('-')[0] === code
      }
    },

    /** Keeps what the reader sees at its place while the text above it changes its height. */
    inPlace(change) {
      const seen = this.blocks.find(block => block.element.getBoundingClientRect().bottom > 0)?.element
      const top = seen?.getBoundingClientRect().top
      change()
      if (seen)
        scrollBy({ top: seen.getBoundingClientRect().top - top, behavior: 'instant' })
    },

    async press(code) {
      const isBack = this.code === code
      this.restore()
      if (isBack)
        return
      const blocks = this.blocks = [...article().querySelectorAll(blockNames)].filter(element => !element.closest(notProse))
        .map(element => new PageBlock(element)).filter(block => block.isProse)
      this.code = code
      this.page = location.pathname
      this.update(t('translating'))
      const body = {
        text: blocks.map(block => block.text).join('\n\n'), target_language: code, source_language: document.documentElement.lang || undefined, heading_ids: false,
      }
      const isCurrent = () => this.blocks === blocks
      for (let tries = 0; isCurrent(); tries++) {
        try {
          // Asked again after a break, it costs only what is missing: the service keeps what is translated.
          for await (const { event, data } of eventsOf(await call('POST', 'translate', { body, accept: stream }))) {
            if (!isCurrent())
              return
            if (event === 'segment' && data.block_text && blocks[data.block])
              this.inPlace(() => blocks[data.block].show(data.block_text, code))
            else if (event === 'error')
              throw new Refusal(data)
            else if (event === 'completed')
              return this.update(data.warnings?.length ? `${t('original')} (${t('partTranslated')})` : undefined)
          }
          throw new Refusal({ code: 'dropped' })
        } catch (error) {
          if (isCurrent() && (!error.canPass || tries === 3)) {
            this.restore()
            const isImpossible = error.code === 'model_unavailable' && !error.wait
            if (isImpossible)
              console.error(`ChatBackend: ${error.message}`)
            this.buttons.find(button => button.dataset.code === code).lastChild.textContent = isImpossible ? t('untranslatable') : sentenceOf(error)
            return
          }
          await pause(500 * 2 ** tries)
        }
      }
    },

    restore() {
      if (this.blocks)
        this.inPlace(() => [...this.blocks].reverse().forEach(block => block.restore()))
      this.blocks = this.code = undefined
      this.update()
    },

    /** Another page has taken this one's place: its elements are gone. */
    leave() {
      if (this.page !== location.pathname)
        this.blocks = this.code = undefined
      this.update()
    },
  }

  // ---- Looks ----

  const css = `
    /* Without !important the page's own rules for * would win. */
    :host { all: initial !important; position: fixed !important; inset: auto 0 0 auto !important; z-index: 1000 !important; direction: ltr !important; color-scheme: light !important;
      --accent: var(--chatbackend-accent, var(--ifm-color-primary, #2f6feb)); --on-accent: #fff; --text: #1c1e21; --soft: #5b6370; --back: #fff; --fill: #f3f4f6; --line: #d4d8de; --warn: #8a5300;
      font: 16px/1.5 var(--ifm-font-family-base, system-ui, sans-serif) !important; color: var(--text) !important }
    :host([dir=rtl]) { direction: rtl !important }
    :host([data-theme=dark]) { color-scheme: dark !important; --text: #e6e8eb; --soft: #a5adb8; --back: #1b1d22; --fill: #282b32; --line: #444a54; --warn: #f0b35a }
    * { box-sizing: border-box; font: inherit; color: inherit }
    [hidden] { display: none !important }
    h2, h3, p, ol, ul, pre, blockquote, dl { margin: 0; padding: 0 }
    button { border: 1px solid var(--line); border-radius: 8px; background: var(--back); padding: 6px 10px; cursor: pointer; min-height: 32px }
    button:hover { background: var(--fill) }
    button:disabled { opacity: .55; cursor: default }
    :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
    svg { width: 20px; height: 20px; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; display: block; flex: none }
    .hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
    .corner { position: fixed; inset: auto 20px 20px auto; max-width: calc(100vw - 40px); display: flex; flex-direction: column; align-items: flex-end; gap: 8px }
    :host([data-position=left]) .corner { inset: auto auto 20px 20px; align-items: flex-start }
    .launcher { display: flex; align-items: center; gap: 8px; min-height: 48px; padding: 10px 18px; border-color: transparent; border-radius: 24px; background: var(--accent); color: var(--on-accent); font-weight: 600; box-shadow: 0 3px 12px #0004 }
    .launcher:hover { background: var(--accent); filter: brightness(1.06) }
    .language, .about { display: flex; align-items: center; gap: 6px; border-radius: 18px; font-size: 14px; box-shadow: 0 2px 8px #0003 }
    .about { position: fixed; width: 170px; justify-content: center }
    .panel { position: fixed; inset: auto 20px 20px auto; width: min(420px, 100vw - 40px); height: min(680px, 100dvh - 40px); display: flex; flex-direction: column;
      background: var(--back); border: 1px solid var(--line); border-radius: 14px; box-shadow: 0 10px 40px #0005; overflow: hidden }
    :host([data-position=left]) .panel { inset: auto auto 20px 20px }
    header { display: flex; align-items: center; gap: 2px; padding: 8px; padding-inline-start: 16px; border-bottom: 1px solid var(--line) }
    h2 { flex: 1; font-weight: 600; line-height: 1.3; overflow: hidden; display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2 }
    .icon { border: 0; background: none; padding: 6px; min-width: 34px; display: grid; place-items: center; color: var(--soft) }
    .icon[aria-pressed=true] { color: var(--text); background: var(--fill) }
    .log { flex: 1; overflow-y: auto; padding: 16px; overscroll-behavior: contain; overflow-wrap: anywhere }
    .welcome { display: grid; gap: 10px; justify-items: start } .welcome button { text-align: start }
    .earlier { display: block; margin: 0 auto 16px; font-size: 14px }
    .turn + .turn { margin-top: 24px; border-top: 1px solid var(--line); padding-top: 16px }
    .question { font-weight: 600; margin-bottom: 8px; white-space: pre-wrap }
    .selection { max-height: 6em; overflow: auto; font-size: 14px; margin-bottom: 8px }
    blockquote { border-inline-start: 3px solid var(--line); padding-inline-start: 10px; color: var(--soft) }
    .answer > * + *, blockquote > * + *, li > * + *, .loose > li + li { margin-top: 8px }
    .answer .heading { font-weight: 600 } .answer ul, .answer ol { padding-inline-start: 22px }
    strong, th { font-weight: 600 } em { font-style: italic } s { text-decoration: line-through }
    code { font: 14px/1.5 var(--ifm-font-family-monospace, ui-monospace, monospace); background: var(--fill); border-radius: 4px; padding: 1px 4px }
    pre { background: var(--fill); border-radius: 8px; padding: 10px; overflow: auto; white-space: pre } pre code { padding: 0; background: none }
    .table { overflow-x: auto } table { border-collapse: collapse; font-size: 14px } th, td { border: 1px solid var(--line); padding: 4px 8px; text-align: start } [data-side=left] { text-align: left } [data-side=right] { text-align: right } [data-side=center] { text-align: center }
    hr { border: 0; border-top: 1px solid var(--line) }
    a, .sources button { text-decoration: underline; text-decoration-color: var(--accent); text-underline-offset: 2px; border: 0; background: none; padding: 0; min-height: 24px; text-align: start; cursor: pointer }
    .cite { font-size: 12px; line-height: 1; text-decoration: none; border: 1px solid var(--accent); border-radius: 9px; padding: 1px 6px; margin-inline: 2px; min-height: 0; background: none; vertical-align: 1px }
    .sources { font-size: 14px; margin: 10px 0 0; padding-inline-start: 22px }
    .state { font-size: 14px; color: var(--soft); margin-top: 8px } .state:empty { display: none }
    [data-grounding=partial] .state, [data-grounding=none] .state, [data-grounding=failed] .state { color: var(--warn); font-weight: 600 }
    [data-grounding=partial] .answer, [data-grounding=none] .answer { border-inline-start: 3px solid var(--warn); padding-inline-start: 10px } [data-grounding=none] .answer { border-inline-start-style: dashed }
    .actions { display: flex; margin: 6px -6px 0 } .comment, .confirm { display: flex; gap: 6px; margin-top: 8px; font-size: 14px; flex-wrap: wrap; align-items: center }
    .passage { scroll-margin: 16px; display: grid; gap: 8px; justify-items: start; margin-top: 16px; border: 1px solid var(--line); border-radius: 8px; padding: 12px } .passage h3 { font-weight: 600 }
    form { position: relative; border-top: 1px solid var(--line); padding: 10px } .comment { border: 0; padding: 0 }
    .line { display: flex; gap: 8px; align-items: end }
    textarea, input { flex: 1; min-width: 0; resize: none; border: 1px solid var(--line); border-radius: 8px; background: var(--back); padding: 8px 10px; max-height: 160px }
    ::placeholder { color: var(--soft); opacity: 1; white-space: nowrap; overflow: hidden; text-overflow: ellipsis }
    .send { background: var(--accent); color: var(--on-accent); border-color: transparent; min-height: 42px } .send:hover { background: var(--accent) } :host([dir=rtl]) .send svg { transform: scaleX(-1) }
    .chip { display: flex; gap: 6px; align-items: center; font-size: 14px; background: var(--fill); border-radius: 8px; padding: 2px 2px 2px 10px; margin-bottom: 8px } .chip span { flex: 1 }
    [role=listbox] { position: absolute; inset: auto 10px 100% 10px; max-height: 260px; overflow: auto; background: var(--back); border: 1px solid var(--line); border-radius: 8px; box-shadow: 0 -4px 16px #0003 }
    [role=option] { display: grid; width: 100%; padding: 8px 12px; text-decoration: none; border: 0; background: none; text-align: start } [role=option] small { font-size: 13px; color: var(--soft) }
    [role=option]:hover, [role=option][aria-selected=true] { background: var(--fill); box-shadow: inset 3px 0 var(--accent) }
    @media (max-width: 600px) { .panel, :host([data-position=left]) .panel { inset: auto 0 0 0; width: 100%; height: min(92dvh, 100dvh - 24px); border-radius: 14px 14px 0 0 } textarea, input { font-size: 16px } }
    @media (prefers-reduced-motion: no-preference) { .panel:not([hidden]) { animation: rise .16s ease-out } @keyframes rise { from { transform: translateY(12px); opacity: 0 } } }
    @media (forced-colors: active) { .launcher, .send, .cite { border: 1px solid ButtonText } [role=option][aria-selected=true] { outline: 2px solid Highlight; outline-offset: -2px } svg { forced-color-adjust: auto } }
    @media print { :host { display: none !important } }`

  const host = h('chatbackend-widget')
  const root = host.attachShadow({ mode: 'open' })
  const style = new CSSStyleSheet()
  style.replaceSync(css)
  root.adoptedStyleSheets = [style]

  const launcher = h('button', { type: 'button', class: 'launcher', 'aria-expanded': 'false', onclick: () => panel.open() }, icon('chat'), h('span', {}, t('ask')))
  const corner = h('div', { class: 'corner' })
  const about = h('button', { type: 'button', class: 'about', hidden: true }, icon('chat'), t('about'))
  // The selection must still be there when the button is pressed.
  about.addEventListener('pointerdown', event => event.preventDefault())

  /** The page's theme, and black or white on its accent, whichever reads better (WCAG 2.2, relative luminance). */
  const dress = () => {
    const isDark = (document.documentElement.dataset.theme ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')) === 'dark'
    host.dataset.theme = isDark ? 'dark' : 'light'
    const color = getComputedStyle(launcher).backgroundColor.match(/[\d.]+/g)?.slice(0, 3).map(Number) ?? [0, 0, 0]
    const [r, g, b] = color.map(part => part / 255).map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    host.style.setProperty('--on-accent', 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? '#000' : '#fff')
  }

  const start = () => {
    host.dir = isRightToLeft(language) ? 'rtl' : 'ltr'
    host.lang = language
    host.dataset.position = option('position') === 'left' ? 'left' : 'right'
    if (option('accent'))
      host.style.setProperty('--chatbackend-accent', option('accent'))
    corner.append(...reading.build(), launcher)
    root.append(corner, about)
    document.body.append(host)
    dress()

    new MutationObserver(dress).observe(document.documentElement, { attributeFilter: ['data-theme', 'class', 'style'] })
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', dress)
    // A page of Docusaurus gets its title when it is shown.
    let path = location.pathname
    new MutationObserver(() => {
      reading.leave()
      if (path !== location.pathname)
        panel.refresh()
      path = location.pathname
    }).observe(document.head, { childList: true, subtree: true, characterData: true })

    addEventListener('focus', () => panel.refresh())

    let timer
    document.addEventListener('selectionchange', () => {
      clearTimeout(timer)
      timer = setTimeout(offerSelection, 250)
    })
    document.addEventListener('keydown', event => {
      const hasOwnSearch = document.querySelector('.DocSearch-Button, [class*="searchBar"], .navbar__search-input')
      if (event.key.toLowerCase() !== 'k' || !(event.metaKey || event.ctrlKey) || event.shiftKey || event.altKey || event.defaultPrevented || hasOwnSearch)
        return
      event.preventDefault()
      if (panel.isOpen)
        panel.close()
      else
        panel.open()
    })
  }

  if (document.body)
    start()
  else
    document.addEventListener('DOMContentLoaded', start)
})()
