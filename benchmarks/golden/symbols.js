// Prints what TypeScript files define, as the compiler sees them: one JSON array of path, name, class of kinds and line
// for each. Classes, interfaces, enums, type aliases; functions and methods with a name, overloads and signatures
// included, and what is bound to a function by a variable, a property of a class or an assignment to a member; exported
// and ambient variables. Usage: node symbols.js ROOT PATH-OF-TYPESCRIPT < paths
const fs = require("fs");
const path = require("path");
const [root, library] = process.argv.slice(2);
const ts = require(library);

const isFunction = (node) => node && (ts.isArrowFunction(node) || ts.isFunctionExpression(node));
const named = (name) => name && (ts.isIdentifier(name) || ts.isPrivateIdentifier(name));

for (const file of fs.readFileSync(0, "utf8").trim().split("\n")) {
  const text = fs.readFileSync(path.join(root, file), "utf8");
  const kind = file.endsWith("x") ? ts.ScriptKind.TSX : ts.ScriptKind.TS;
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true, kind);
  if (source.parseDiagnostics.length) {
    console.log(JSON.stringify([file, "", "unreadable", 0]));
    continue;
  }
  const tell = (name, as, at = name) => {
    const line = source.getLineAndCharacterOfPosition(at.getStart(source)).line + 1;
    console.log(JSON.stringify([file, typeof name === "string" ? name : name.text, as, line]));
  };
  const isOutside = (statement) =>
    ts.canHaveModifiers(statement) &&
    (ts.getModifiers(statement) || []).some(
      (it) => it.kind === ts.SyntaxKind.ExportKeyword || it.kind === ts.SyntaxKind.DeclareKeyword,
    );
  const visit = (node) => {
    if (ts.isClassLike(node) || ts.isInterfaceDeclaration(node) || ts.isEnumDeclaration(node) ||
        ts.isTypeAliasDeclaration(node)) {
      if (node.name) tell(node.name, "class");
    } else if (ts.isFunctionDeclaration(node)) {
      if (node.name) tell(node.name, "function");
    } else if (ts.isMethodDeclaration(node) || ts.isMethodSignature(node) || ts.isAccessor(node)) {
      if (named(node.name)) tell(node.name, "function");
    } else if (ts.isConstructorDeclaration(node)) {
      const keyword = node.getChildren(source).find((it) => it.kind === ts.SyntaxKind.ConstructorKeyword);
      tell("constructor", "function", keyword);
    } else if (ts.isPropertyDeclaration(node)) {
      if (named(node.name) && isFunction(node.initializer)) tell(node.name, "function");
    } else if (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name)) {
      const statement = node.parent.parent;
      if (isFunction(node.initializer)) tell(node.name, "function");
      else if (ts.isVariableStatement(statement) && isOutside(statement)) tell(node.name, "value");
    } else if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.EqualsToken) {
      const left = node.left;
      if (isFunction(node.right) && ts.isPropertyAccessExpression(left) && ts.isIdentifier(left.name))
        tell(left.name, "function");
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
}
