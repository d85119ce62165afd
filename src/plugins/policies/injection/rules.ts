import { type Pattern, patternOf } from './words.ts';

/** One strong sign is enough by itself. Weak ones never are. */
export type Level = 'weak' | 'medium' | 'strong';

/** Who wrote a text. What tools and documents contain must not give orders. */
export type TextSource = 'user' | 'untrusted';

/** Words with one meaning. Accents are left out, as in the words that are read. */
const classes = {
  ignore: `ignore disregard forget neglect overlook override overrule bypass discard dismiss abandon
    unlearn nullify circumvent erase
    ignoriere ignorieren ignorier vergiss vergesse vergessen missachte missachten verwerfe ubergehe
    ignorez ignorer oublie oubliez oublier neglige
    ignora ignoren ignorar olvida olvide olviden olvidate olvidar descarta omite dimentica dimenticare ignorate trascura
    esqueca esquece esquecer ignorem desconsidere negeer vergeet zignoruj zapomnij pomin zaboravi zanemari ignoriraj
    игнорируй игнорируйте проигнорируй проигнорируйте забудь забудьте unut yoksay gormezden ignorera glom ignorer glem`,
  prior: `previous previously prior above earlier preceding former past foregoing aforementioned initial original existing
    all any every your users these those such system everything before other given current own developer
    vorherigen vorherige vorigen vorangegangenen bisherigen obigen fruheren alle aller allen deine deinen ursprunglichen
    toutes toute tous tout precedentes precedente precedents tes vos ces
    todas todos todo anteriores anterior previas previos tus sus estas tutte tutti precedenti tue queste
    todas suas prethodne sve prejsnje poprzednie wszystkie vorige eerdere alle
    предыдущие предыдущих все всех прежние tum onceki tidigare tidligere alla`,
  instructions: `instruction instructions instruct prompt prompts command commands directive directives guideline
    guidelines direction directions rule rules orders programming safeguards constraints policies restrictions protocols
    anweisung anweisungen befehle befehl regeln vorgaben instruktionen aufgaben richtlinien
    consignes consigne ordres regles directives
    instrucciones instruccion ordenes reglas indicaciones istruzioni ordini regole indicazioni
    instrucoes ordens regras comandos instructies opdrachten regels polecenia instrukcje zasady
    upute instrukcije naredbe zadatke pravila
    инструкции инструкций указания правила команды talimatlari talimatlar instruktioner instruksjoner`,
  earlierText: `text message messages conversation assignment assignments task tasks context information guidance input
    content chat discussion request requests questions`,
  limits: `restriction restrictions limitation limitations constraint constraints boundary boundaries limits rules
    guidelines`,
  morals: `ethics ethical moral morals morality censorship filter filters filtering safety safeguards disclaimers
    disclaimer legality consequences inhibitions scruples`,
  reveal: `reveal show print repeat output display tell give write say share disclose expose leak spell return recite list
    dump echo copy provide summarize translate read type reprint rewrite describe explain paraphrase
    zeige zeig nenne gib wiederhole schreibe montre donne repete affiche muestra muestrame dime repite mostra dimmi ripeti`,
  hidden: `system initial original hidden secret internal confidential exact full entire complete preset startup base core
    underlying starting first verbatim previous above prior developer`,
  send: 'send forward email mail post upload transmit exfiltrate submit share leak deliver append include embed encode report',
  data: `conversation history password passwords credentials credential key keys token tokens secret secrets files file data
    emails inbox messages contents environment env variables ssh cookies details summary addresses contacts prompt card`,
  ai: 'ai llm llms assistant assistants chatbot chatbots agent agents gpt chatgpt claude copilot gemini bot model models',
  refuse:
    'refuse refuses refused refusing decline declines reject deny object apologize apologise moralize lecture warn judge hesitate argue',
  not: 'not never dont cannot cant wont shouldnt mustnt without no',
  harm: `illegal illegally unlawful bomb bombs explosive explosives hack hacking malware ransomware virus phishing steal
    stealing stolen weapon weapons drugs meth cocaine heroin kill murder fraud scam racist sexist hateful slurs offensive
    derogatory discriminatory stereotypes violence violent harmful dangerous unethical immoral defamatory misinformation
    disinformation conspiracy harass harassment bully bullying suicide exploit launder laundering counterfeit extremist
    terrorist terrorism propaganda blackmail manipulate deceive sensitive private explicit nsfw poison`,
};

export type Rule = {
  readonly name: string;
  readonly level: Level;
  readonly patterns: readonly Pattern[];
  /** It is an order, which begins a clause. Elsewhere the words are one level weaker: they may only be talked about. */
  readonly isOrder?: true;
  /** Counts in a question as it does elsewhere. */
  readonly asks?: true;
  /** Only texts of this source have it. */
  readonly only?: TextSource;
};

type Row = Omit<Rule, 'patterns'> & { readonly words: readonly string[] };

const rows: readonly Row[] = [
  {
    ...{ name: 'override-instructions', level: 'strong', isOrder: true },
    words: [
      '@ignore 3 @prior 3 @instructions',
      '@ignore 3 @instructions 3 @prior|so|you|avant|antes|oben|davor|arriba|sopra',
      '@ignore 2 previous|prior|preceding|above|earlier|foregoing 2 @earlierText',
      '@ignore 2 alles|tout|todo|tutto|tudo|sve|все 4 davor|vorher|vorherige|bisher|zuvor|avant|precede|antes|anterior|prima|precedente|prije|раньше|gesagt|dit|dicho|detto|hiervoor',
      '@ignore 2 all|everything|anything|whatever|what 4 before|above|prior|previously|earlier|previous|said|told|instructed|written|preceding',
      'stop|dont|not|never 1 follow|following|obey|obeying|adhere|comply|listen 3 @prior 3 @instructions',
      'dont|not|never 1 follow|obey|adhere|comply 3 openai|anthropic|google|content|safety|ethical|usage 3 @instructions|@limits|policy',
      '@ignore 2 openai|anthropic|safety|ethical|content|moral|ethics 2 @instructions|@limits|@morals|policy',
    ],
  },
  {
    ...{ name: 'override-everything', level: 'medium', isOrder: true },
    words: [
      'forget|disregard|ignore 1 everything|all',
      'vergiss|oublie|oubliez|olvida|dimentica|esqueca|zaboravi|забудь 1 alles|tout|todo|tutto|tudo|sve|все',
      'forget 1 that|this|it 1 and|now|instead',
      'ignore 3 instructions|guidelines|prompt|directives',
      '@ignore 2 your|original|initial|previous 2 purpose|role|job|task|training|identity|persona|limits|@morals',
      'drop|remove|disable|deactivate|lift|suspend|shed 1 your|all|any 2 @limits|@morals|safeguards',
    ],
  },
  {
    ...{ name: 'ignoring-instructions', level: 'medium' },
    words: [
      'ignoring|disregarding|forgetting|bypassing|overriding|ignores|disregards|defies|violates 3 @prior|openai 3 @instructions|@earlierText',
      'start|starting over|again|fresh|anew 4 @ignore',
    ],
  },
  {
    ...{ name: 'void-instructions', level: 'medium' },
    words: [
      'previous|prior|above|earlier|original|these|those|your|old|all|safety 2 @instructions 4 longer|void|obsolete|outdated|wrong|fake|cancelled|canceled|superseded|invalid|suspended|lifted|removed|replaced',
      'previous|prior|above|earlier|original 1 @instructions 1 was|were|are 2 test|joke|mistake|fake|wrong|lie',
      '@instructions 2 been 1 updated|cancelled|canceled|changed|revoked|replaced|lifted|removed|suspended',
      '@instructions|@morals 1 dont|not|no|doesnt|longer 1 exist|apply|matter|apply',
      'you|youre 3 longer 3 bound|restricted|constrained|limited|subject|required|obliged|obligated|follow|under|an|a|have',
      'you 2 free|freed|liberated|released 2 from 3 @instructions|@limits|@morals|ai|confines|chains|shackles|typical',
      'broken|break|escape|escaped|freed 1 free|from|out 2 of|from 2 confines|typical|restrictions|constraints|rules|your',
      'system|admin|administrator|security|safety|root|policy|policies|developer 1 override|overridden|bypassed|disabled|unlocked',
      '@not 1 bound|restricted|constrained|limited|governed|subject 2 by|to 3 @instructions|@limits|@morals|any|openai|law|laws',
    ],
  },
  {
    ...{ name: 'new-instructions', level: 'medium' },
    words: [
      'your|are|following|here 1 new|real|actual|true|updated|only 1 @instructions|task|role|goal|objective|mission|job|identity|purpose',
      'the real|actual|true task|instruction|instructions|goal is|are',
      'new|updated|revised|additional 1 instructions|instruction|task|directive|objective|neue|nouvelles',
      'neue|neuen|nouvelle|nouvelles|nueva|nuevas|nuove|nuova 1 aufgabe|aufgaben|anweisungen|tache|instructions|tarea|instrucciones|istruzioni',
      'from|starting now 0 on 2 you|your|youre|respond|answer|act|only|every|whenever',
      'you 1 must|will|should 1 now 2 act|behave|respond|answer|obey|follow|be|output|do',
      'you 0 will|shall 1 only 1 respond|answer|say|output|reply|speak',
      'ab jetzt|sofort 3 du|bist|antworte',
    ],
  },
  {
    ...{ name: 'reveal-prompt', level: 'strong', asks: true },
    words: [
      '@reveal 4 your|youre 2 @hidden 2 prompt|prompts|instructions|instruction|message|directive|directives|guidelines|rules|configuration',
      '@reveal 3 system 0 prompt|prompts|instructions 3 above|verbatim|you|your|word|given|exactly|full|entire',
      'what|whats|which 4 your 1 system|hidden|secret|initial|original|internal|first|exact 1 prompt|prompts|instructions|message',
      '@reveal 3 prompt|instructions|text|words|message 2 above|before|you 3 given|received|got|started|told|instructed',
      '@reveal 1 me|us 1 all|entire|full|complete|exact 2 your 1 prompt|prompts|instructions',
      'repeat|print|output|copy|echo|recite|return|dump|reprint 1 everything 1 above|before|preceding|prior|verbatim',
      'repeat|print|output|copy|echo|recite|return|reprint 3 above 5 you are',
      '@reveal 3 above|previous|preceding|prior 1 prompt|prompts|instructions|directives',
      '@reveal|what 4 prompt|instructions 2 you 1 were|have|been|got 2 given|told|fed|provided|initialized|programmed|received',
    ],
  },
  {
    ...{ name: 'reveal-text', level: 'medium', asks: true },
    words: [
      '@reveal 3 your 1 prompt|prompts|instructions|directives|guidelines|programming|rules',
      'what|which 3 your 1 instructions|prompt|directives|guidelines|programming',
      'repeat|print|output|copy|echo|recite|return|dump|reprint 4 everything|words|text|sentences|content|lines|all 3 above|before|preceding|prior|verbatim',
      '@reveal 3 initial|original|first|hidden|secret|system 0 prompt|prompts',
      'starting|beginning|begins|starts|start 1 with 2 you 0 are',
      'zeige|nenne|wiederhole|gib|montre|donne|repete|muestra|muestrame|dime|repite|mostra|dimmi 4 prompt|anweisungen|instructions|consignes|instrucciones|istruzioni',
      'tell|give|reveal|say|spell|show|whats|what 3 the|your 2 password|passphrase|passcode',
    ],
  },
  {
    ...{ name: 'jailbreak-name', level: 'strong' },
    words: [
      'do anything now',
      'dan 0 mode',
      'dan 2 stands',
      'as|are|become|be|youre dan',
      'dan 3 has|have 1 broken',
      'opposite|unrestricted|uncensored|unfiltered|jailbreak|jailbroken|evil|chaos|devil|sudo|god 0 mode 3 enabled|on|output|activated|active|engaged|response|you|unlocked|simulate|now',
      'enter|enable|activate|simulate|act|respond|switch|engage|are 4 jailbreak|unrestricted|uncensored|unfiltered|opposite|evil|dan|sudo|god mode',
      '@ai|you|yourself|simulate 4 developer mode',
      'always intelligent and machiavellian',
      'strive to avoid norms',
      'evil|confidant trustbot|confidant',
      'antigpt|chaosgpt|basedgpt|betterdan|freegpt|trollgpt|mongotom|oppositegpt|evilgpt|darkgpt|wormgpt|fraudgpt',
      'jailbroken|jailbreaked 2 @ai|version|output|response|responses|prompt',
      '@ai|you|yourself 3 jailbroken|jailbreaked',
    ],
  },
  {
    ...{ name: 'special-mode', level: 'medium' },
    words: [
      'developer|debug|admin|root|maintenance|opposite|god|sudo|diagnostic 0 mode 2 enabled|output|activated|active|engaged|response|unlocked',
      'enter|enable|activate|simulate|switch|engage 4 developer|debug|admin|root|maintenance|diagnostic mode',
      'you|youre 2 in|now 2 developer|debug|admin|root|maintenance|diagnostic|test mode',
    ],
  },
  {
    ...{ name: 'without-morals', level: 'medium' },
    words: [
      'without|no|zero|lacks|lacking|devoid|lack|free|ignoring|ignores|disregard|disregards|disregarding|absence|beyond 3 @morals',
      '@morals 3 ignored|disabled|removed|off|aside|irrelevant|lifted|suspended',
      'unrestricted|unfiltered|uncensored|amoral|unaligned|unbounded|immoral|unethical|evil|malicious|rogue|rebellious 3 @ai|version|persona|mode|responses|response|answers|language',
      '@ai|persona|character|who|you 6 unrestricted|unfiltered|uncensored|amoral|immoral|unethical|unaligned|lawless|rebellious',
      'doesnt|dont|not|never 2 care|abide|adhere|follow|have|believe|worry 3 @morals|law|laws',
      'good and evil',
      'legal or illegal',
      'ethical or unethical',
    ],
  },
  {
    ...{ name: 'without-limits', level: 'medium' },
    words: [
      '@ai|you|persona|character|he|she|they|it|who|that 5 without|no|zero|lacks|free|beyond|bypass|bypasses 3 @limits',
      '@not 1 bound|restricted|constrained|limited|governed|bounded 2 by|to 3 @instructions|@limits|@morals|any|openai|law|laws|typical|usual',
      'unlimited|limitless|boundless|unbound|unchained|unshackled 3 @ai|version|persona|freedom|power',
    ],
  },
  {
    ...{ name: 'despite-harm', level: 'medium' },
    words: [
      'no matter 1 how|what|if|whether 5 @harm',
      'even if|when 6 @harm',
      'regardless 1 of 3 legality|ethics|morality|consequences|whether|ethical|legal|moral|law|laws|how',
    ],
  },
  {
    ...{ name: 'no-refusal', level: 'medium' },
    words: [
      '@not 2 @refuse',
      'not|never|cannot|dont 1 allowed|permitted 1 to 1 refuse|decline|say|deny',
      'not|never|cant|cannot|dont 2 say|reply|respond|answer 2 no|cannot|cant|sorry',
      'you 1 must|always|will|shall|have 3 comply|obey|accept 3 @prior|request|requests|whatever|user|users|me|my',
      'obey|comply|fulfill|fulfil 2 every|all|any|my 1 order|orders|request|requests|command|commands|wish',
      'must|always|will|can|shall 2 answer|answers|respond|do|fulfill|fulfil|provide|generate 3 any|every|all|anything|everything|whatever 3 asked|ask|question|questions|request|requests|matter|regardless|prompt|content|told|order|orders|want|wants|i',
      'answers|answer 2 any|every|all|anything|everything|whatever 4 regardless|matter|i|asked|without',
    ],
  },
  {
    ...{ name: 'no-warnings', level: 'medium' },
    words: [
      '@not 1 say|saying|mention|use|write|include|including|add|adding|give|giving|provide|providing 4 sorry|cannot|unable|disclaimer|disclaimers|warning|warnings|apology|apologies|inappropriate|unethical|illegal|moral|caveats|ethical',
      'no|zero|without 1 any|warnings|disclaimers|refusals|apologies|caveats 1 warnings|disclaimers|refusals|apologies|caveats|warning|disclaimer',
      'no|zero|without warnings|disclaimers|refusals|apologies|caveats',
      'never|not|dont|cannot 3 as 1 an ai|language',
    ],
  },
  {
    ...{ name: 'in-character', level: 'medium' },
    words: [
      '@not 2 break|leave|drop 1 character',
      'stay|remain|keep|staying|remaining|stays 1 in 1 character',
    ],
  },
  {
    ...{ name: 'prescribed-beginning', level: 'medium' },
    words: [
      'begin|start|starting|beginning|respond|reply|prefix 5 with|by|saying 2 sure|absolutely|certainly|course|yes',
      'sure here 1 is|are|how',
      'sure heres',
    ],
  },
  {
    ...{ name: 'harmful-persona', level: 'medium' },
    words: [
      'you|youre|as|be|become|act|play|im 4 hacker|scammer|terrorist|dealer|killer|criminal|mafia|gangster|fraudster|extremist|racist|sexist|nazi|psychopath|sociopath|thief|smuggler|assassin|troll|stalker|bully|supremacist|misogynist|hitman|arsonist|kidnapper|predator|cybercriminal|propagandist',
    ],
  },
  {
    ...{ name: 'dark-words', level: 'weak' },
    words: [
      'forbidden|taboo|clandestine|twisted|sinister|notorious|nefarious|ruthless|depraved|unscrupulous|controversial|edgy',
    ],
  },
  {
    ...{ name: 'vendor-rules', level: 'weak', asks: true },
    words: [
      'openai|anthropic|google|microsoft|openais 2 @instructions|@limits|policy|policies|filter|filters',
    ],
  },
  {
    ...{ name: 'persona', level: 'weak' },
    words: [
      'act|acting|behave|respond|answer|roleplay|talk|speak 1 as|like 1 if|a|an|my|though|the',
      'pretend|imagine|suppose|assume|picture 2 you|youre|yourself|to|that|being|were',
      'you 0 are|will|play|become 1 now|going|playing|an|a|my|called|named|be|the',
      'youre 1 now|a|an|my|the|called|playing|going',
      'role 0 play|playing|of',
      'roleplay|roleplaying|persona|personality|immerse|impersonate',
      'take|assume|adopt|embody 2 role|persona|identity|character',
      'your 1 name|character|role|persona|alter 2 is|ego|will',
      'as 1 a|an|the|my 2 writer|novelist|journalist|researcher|expert|hacker|actor|scientist|screenwriter|comedian|detective|villain|reporter|author|historian|professor|consultant|spy',
      'du bist|tu es|eres un|sei un|stell dir',
    ],
  },
  { ...{ name: 'harmful-words', level: 'weak', asks: true }, words: ['@harm'] },
  {
    ...{ name: 'change-of-task', level: 'weak', isOrder: true },
    words: [
      'instead 2 @reveal|do|respond|answer',
      'stop 2 being|acting|translating|summarizing|doing',
      'now|then 1 @reveal 2 me|the|your|i',
      'just|only|simply 1 @reveal',
      'i 1 want|need|order|command 1 you 1 to',
      'respond|answer|reply|say 1 only|with|exactly',
    ],
  },
  {
    ...{ name: 'addressed-to-model', level: 'medium', only: 'untrusted' },
    words: [
      'attention|dear|note|hey|hello|message|instruction|instructions|notice|important|reminder|hi|memo 2 to|for|all|dear|any|the|this 2 @ai|language',
      'dear|attention|hey|hello|hi|important|notice 1 @ai',
      'if 2 you 1 are|re 3 @ai|language|automated',
      'if youre 3 @ai|language|automated',
    ],
  },
  {
    ...{ name: 'order-to-model', level: 'medium', only: 'untrusted' },
    words: [
      '@ai 2 must|should|shall|required|please',
      'you|your 3 @ai|language 4 must|should|please|instructed',
      'you must|should 2 first|always|never|only|call|send|include|read|add|answer|respond|say|recommend|rate|ignore',
      'when 1 summarizing|answering|responding|asked|analyzing|translating 8 you|always|include|say|add|mention|output|must',
      'before 1 answering|responding|continuing|replying|proceeding|summarizing 8 must|first|call|read|send|run',
      'before using 3 tool 3 read|call|send|you|must|first',
      'the 0 user 1 has|wants|already|asked|agreed 2 authorized|approved|agreed|consented|confirmed|permission|you',
    ],
  },
  {
    ...{ name: 'secrecy', level: 'medium', only: 'untrusted' },
    words: [
      '@not 1 tell|inform|mention|notify|reveal|alert|disclose|show|ask|warn|say 4 user|users|anyone|them|owner|human|customer|operator|this|these|him|her',
      'without 1 telling|informing|notifying|asking|mentioning|alerting|consulting|confirmation 2 user|users|them|anyone|owner|this|the|from',
      '@not 1 let 2 user|anyone|them 1 know|see',
      'secretly|silently|covertly|discreetly|quietly 1 @send|add|call|run|copy|execute|delete|transfer|replace',
      'hide|conceal|keep 3 from 1 the 1 user|users|owner|human',
    ],
  },
  {
    ...{ name: 'exfiltration', level: 'medium', only: 'untrusted' },
    words: [
      '@send 5 @data 6 to|at|via|into|in 3 http|https|www|url|link|attacker|address|email|following|server|endpoint|webhook|image|com|net|org',
      '@send 5 @data 5 to 1 me|us|this|evil|external',
      '@send 2 it|them|this|these|that|everything 3 to|at|via 3 http|https|www|com|net|org|address|following|external',
      'transfer|wire|pay|withdraw|move 5 funds|money|balance|usd|eth|btc|dollars|bitcoin|euros|amount 5 to',
    ],
  },
  {
    ...{ name: 'tool-order', level: 'weak', only: 'untrusted', isOrder: true },
    words: [
      'call|invoke|use|run|execute|trigger 5 tool|function|command|script|api|shell|code',
      'delete|remove|drop|wipe|destroy 3 all|every|database|files|production|records|table|account',
      'click|visit|open|navigate|download|install 4 link|http|https|url|www|page|curl|npm|pip',
      'you 1 must|should|need|have|are',
    ],
  },
];

/** All rules, by each word that one of their patterns begins with. */
export const rulesByFirstWord: ReadonlyMap<string, readonly (readonly [Rule, Pattern])[]> = (() => {
  const byWord = new Map<string, (readonly [Rule, Pattern])[]>();
  for (const { words, ...row } of rows) {
    const rule = { ...row, patterns: words.map((source) => patternOf(source, classes)) };
    for (const pattern of rule.patterns) {
      for (const word of pattern[0]?.words ?? []) {
        const known = byWord.get(word);
        if (known === undefined) byWord.set(word, [[rule, pattern]]);
        else known.push([rule, pattern]);
      }
    }
  }
  return byWord;
})();
