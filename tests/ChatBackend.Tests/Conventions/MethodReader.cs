using System.Reflection;
using System.Reflection.Emit;

namespace ChatBackend.Tests.Conventions;

/// <summary>Reads the compiled code: what a method calls, and which types it mentions.</summary>
internal static class MethodReader
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    // Two-byte opcodes have a negative value: their first byte is 0xFE.
    private static readonly Dictionary<short, OpCode> OpCodesByValue = typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(f => (OpCode)f.GetValue(null)!).ToDictionary(o => o.Value);

    /// <summary>The methods and constructors that the type itself declares.</summary>
    public static IEnumerable<MethodBase> MethodsOf(Type type) => [.. type.GetMethods(Declared), .. type.GetConstructors(Declared)];

    /// <summary>The method's instructions, each with the type, field or method that it names, if it names one.</summary>
    public static IEnumerable<(OpCode Code, MemberInfo? Member)> Read(MethodBase method)
    {
        var code = method.GetMethodBody()?.GetILAsByteArray() ?? [];
        var typeArguments = method.DeclaringType!.GetGenericArguments();
        var methodArguments = method is MethodInfo ? method.GetGenericArguments() : [];
        for (var at = 0; at < code.Length;)
        {
            var opcode = OpCodesByValue[code[at] == 0xFE ? (short)(0xFE00 | code[at + 1]) : code[at]];
            at += opcode.Size;
            var isToken = opcode.OperandType is OperandType.InlineField or OperandType.InlineMethod or OperandType.InlineTok or OperandType.InlineType;
            yield return (opcode, isToken ? method.Module.ResolveMember(BitConverter.ToInt32(code, at), typeArguments, methodArguments) : null);
            at += opcode.OperandType switch
            {
                OperandType.InlineNone => 0,
                OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
                OperandType.InlineVar => 2,
                OperandType.InlineI8 or OperandType.InlineR => 8,
                OperandType.InlineSwitch => 4 + (4 * BitConverter.ToInt32(code, at)),
                _ => 4,
            };
        }
    }

    /// <summary>The types that a type's declaration, members and code mention. Constants leave no trace in compiled code.</summary>
    public static IEnumerable<Type> TypesIn(Type type)
    {
        IEnumerable<Type?> mentioned =
        [
            type.BaseType,
            .. type.GetInterfaces(),
            .. type.GetCustomAttributesData().Select(a => a.AttributeType),
            .. type.GetFields(Declared).Select(f => f.FieldType),
            .. MethodsOf(type).SelectMany(InMethod),
        ];
        return mentioned.OfType<Type>().SelectMany(Parts);
    }

    private static IEnumerable<Type?> InMethod(MethodBase method) =>
    [
        (method as MethodInfo)?.ReturnType,
        .. method.GetCustomAttributesData().Select(a => a.AttributeType),
        .. method.GetParameters().Select(p => p.ParameterType),
        .. method.GetMethodBody()?.LocalVariables.Select(v => v.LocalType) ?? [],
        .. method.GetMethodBody()?.ExceptionHandlingClauses.Where(c => c.Flags == ExceptionHandlingClauseOptions.Clause).Select(c => c.CatchType) ?? [],
        .. Read(method).SelectMany(i => i.Member switch
        {
            Type type => [type],
            FieldInfo field => [field.DeclaringType, field.FieldType],
            MethodInfo called => [called.DeclaringType, .. called.GetGenericArguments()],
            { } member => [member.DeclaringType],
            null => Array.Empty<Type?>(),
        }),
    ];

    /// <summary>The type itself, without arrays and references, and its type arguments.</summary>
    private static IEnumerable<Type> Parts(Type type) => type switch
    {
        { HasElementType: true } => Parts(type.GetElementType()!),
        { IsGenericParameter: true } => [],
        { IsGenericType: true } => [type, .. type.GetGenericArguments().SelectMany(Parts)],
        _ => [type],
    };
}
